export default {
  ssr: false,
  buildDirectory: 'output',
  prerender: ['/', '/about'],
};
