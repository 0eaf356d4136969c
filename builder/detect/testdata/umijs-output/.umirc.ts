export default defineConfig({ outputPath: 'public' });
