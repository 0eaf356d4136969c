export default defineNitroConfig({ preset: 'static' });
