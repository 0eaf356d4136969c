export default defineConfig({ root: 'docs', outDir: 'www' });
