import type { NextConfig } from 'next';

const nextConfig: NextConfig = {
  // output: 'export',
  output: 'standalone',
};

export default nextConfig;
