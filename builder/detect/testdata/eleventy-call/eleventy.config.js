export default function (eleventyConfig) {
  eleventyConfig.setOutputDirectory('www');
}
