export default defineNitroConfig({
  preset: 'node-server',
});
