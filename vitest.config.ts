import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'test/foreign/**/*.test.ts',
            'test/kernel/*.test.ts',
            'test/tidy/**/*.test.ts',
            'lab/**/*.test.ts',
          ],
        },
      },
      { test: { name: 'namespace', include: ['test/namespace/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'cluster', include: ['test/cluster/**/*.test.ts'], testTimeout: 120_000 } },
      { test: { name: 'scenarios', include: ['test/scenarios/**/*.test.ts'] } },
    ],
  },
});
