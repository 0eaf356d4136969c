const siteConfig = {
  projectName: 'manual',
};
module.exports = siteConfig;
