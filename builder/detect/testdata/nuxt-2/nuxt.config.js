export default { target: 'static' };
