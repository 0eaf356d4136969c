export default defineConfig({
  output: { distPath: { root: 'public' } },
});
