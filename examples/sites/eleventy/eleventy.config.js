export default function (config) {
  config.addPassthroughCopy("src/style.css");
  config.addCollection("logbook", (api) => api.getFilteredByTag("logbook"));
  config.addFilter("day", (date) => date.toISOString().slice(0, 10));

  return { dir: { input: "src", output: "_site" } };
}
