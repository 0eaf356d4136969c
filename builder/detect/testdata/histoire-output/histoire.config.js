export default defineConfig({ outDir: 'stories' });
