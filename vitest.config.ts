import { defineConfig } from 'vitest/config';

// Three projects: what needs nothing, what shares one control plane, and what starts and stops control planes of its own.
export default defineConfig({
  test: {
    // The end of what the tests share; when it takes longer, the process is ended in the middle of it.
    teardownTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/{base,api,kube,decide,explore,issuers,controllers,server,cluster,setup}/**/*.test.ts'],
          exclude: ['**/*.cluster.test.ts', '**/*.alone.test.ts'],
          // Speed is measured elsewhere: a busy machine fails no test.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // How many run side by side depends on the machine, and Vitest refuses a group whose projects differ in that.
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/**/*.cluster.test.ts'],
          globalSetup: ['test/cluster/vitest-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.alone.test.ts'],
          globalSetup: ['test/cluster/vitest-setup.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // Each has a control plane of its own, and most of their time they wait.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
