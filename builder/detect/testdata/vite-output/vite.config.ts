import dts from 'vite-plugin-dts';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react(), dts({ outDir: 'types' })],
  build: { outDir: 'www', sourcemap: true },
});
