export default { outDir: 'public' }
