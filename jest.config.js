// Far from UTC, and not by whole hours: what is meant in UTC must not depend on where it runs.
process.env.TZ = 'Asia/Kathmandu';

/** Another build to test, by the path of its `dist/index.js`: see `npm run real-apps`. */
const { CACHEWRIGHT_BUILD = '<rootDir>/src/index.ts' } = process.env;

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  runner: '<rootDir>/test/support/runner.ts',
  // As many as cores, not one less: what most files do most of the time is wait for servers.
  maxWorkers: '100%',
  // A process for each file. What Jest leaves of one to follow promises by, before Node 24, makes
  // each `await` of the next ones slower: after a hundred files by twenty times.
  workerIdleMemoryLimit: 0,
  globalSetup: '<rootDir>/test/support/servers/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/servers/global-teardown.ts',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  moduleNameMapper: {
    '^cachewright$': CACHEWRIGHT_BUILD,
    '^cachewright/testing$': '<rootDir>/test/backends/contract.ts',
    '^cachewright/(nunjucks|liquidjs|ejs|eta)$': '<rootDir>/src/fragments/engines/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // For what hangs, and never for what is slow.
  testTimeout: 180_000,
};
