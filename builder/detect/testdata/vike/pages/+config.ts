export default {
  prerender: true,
};
