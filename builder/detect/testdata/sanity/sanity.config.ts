export default defineConfig({ title: 'site' });
