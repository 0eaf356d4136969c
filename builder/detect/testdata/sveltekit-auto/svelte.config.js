// What is built depends on the platform.
import adapter from '@sveltejs/adapter-auto';

export default { kit: { adapter: adapter() } };
