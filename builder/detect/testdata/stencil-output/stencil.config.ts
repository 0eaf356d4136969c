export const config: Config = {
  outputTargets: [{ type: 'www', dir: 'public' }],
};
