module.exports = { title: 'Manual' }
