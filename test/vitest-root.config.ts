import { defineConfig } from 'vitest/config';

/**
 * Tests that need root, namespaces or a cluster, and those of the runner itself: `npm run check` leaves them alone,
 * `npm test` runs what needs them inside private namespaces. One after another, since they share the machine's two processors and their time limits are real.
 */
// biome-ignore lint/style/noDefaultExport: vitest loads its configuration so
export default defineConfig({
  test: {
    include: ['test/runner/**/*.test.ts', 'test/namespace/**/*.test.ts', 'test/cluster/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
