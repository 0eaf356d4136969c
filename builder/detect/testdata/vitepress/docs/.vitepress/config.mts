export default defineConfig({
  title: 'Manual',
});
