export default defineConfig({ plugins: [tanstackStart()] });
