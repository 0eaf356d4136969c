export default { title: 'Report', output: 'public' };
