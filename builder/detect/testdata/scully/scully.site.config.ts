export const config: ScullyConfig = {
  projectRoot: './src',
  outDir: './dist/static',
};
