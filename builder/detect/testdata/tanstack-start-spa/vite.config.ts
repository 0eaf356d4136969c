export default defineConfig({
  plugins: [tanstackStart({ spa: { enabled: true, prerender: { outputPath: '/index' } } })],
});
