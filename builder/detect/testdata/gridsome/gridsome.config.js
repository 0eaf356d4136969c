module.exports = { siteName: 'Site' }
