module.exports = { outputDir: 'www' }
