import path from 'node:path';

export default {
  build: {
    outDir: path.resolve(import.meta.dirname, 'www'),
  },
};
