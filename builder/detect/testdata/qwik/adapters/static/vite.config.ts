export default extendConfig(baseConfig, () => ({ build: { ssr: true } }));
