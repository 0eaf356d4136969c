export default defineNuxtConfig({
  nitro: { preset: 'static' },
});
