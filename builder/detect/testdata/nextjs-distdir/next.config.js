module.exports = {
  output: 'export',
  distDir: 'build/site',
};
