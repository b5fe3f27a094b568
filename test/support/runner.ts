import { existsSync } from 'node:fs';
import { join } from 'node:path';
import TestRunner from 'jest-runner';

/**
 * Files and folders whose subject is who is in time: deadlines, leases, failovers, who comes first.
 * There a machine that is busy with other tests looks like a server that hangs.
 */
const ALONE = [
  'attacks/19-stampede.test.ts',
  'attacks/20-serialised-uncacheables.test.ts',
  'attacks/26-forced-misses.test.ts',
  'backends/database/leases.test.ts',
  'backends/database/outages.test.ts',
  'backends/database/sqlite-locks.test.ts',
  'backends/memcached/connection.test.ts',
  'backends/memcached/leases.test.ts',
  'backends/memcached/memcached.test.ts',
  'backends/memcached/outages.test.ts',
  'backends/memcached/pool.test.ts',
  'backends/redis/connections.test.ts',
  'backends/redis/failures.test.ts',
  'backends/tiered/coherence.test.ts',
  'backends/tiered/tiered.test.ts',
  'cli/process.test.ts',
  'outages',
  'page-cache/failures.test.ts',
  'page-cache/flights.test.ts',
  'page-cache/leases.test.ts',
].map((path) => join(__dirname, '..', path));

const isAlone = ({ path }: { readonly path: string }) =>
  ALONE.some((alone) => path === alone || path.startsWith(join(alone, '/')));

type Run = Parameters<TestRunner['runTests']>;
type On = TestRunner['on'];

/** Runs test files as Jest does, except for those that need the machine for themselves: last. */
export default class Runner extends TestRunner {
  readonly #alone: TestRunner;

  constructor(...[globalConfig, context]: ConstructorParameters<typeof TestRunner>) {
    super(globalConfig, context);
    const missing = ALONE.filter((path) => !existsSync(path));
    if (missing.length > 0) throw new Error(`To run alone, but not there: ${missing.join(', ')}`);
    this.#alone = new TestRunner({ ...globalConfig, maxWorkers: 1 }, context);
  }

  override readonly on: On = (event, listener) => {
    const offs = [super.on(event, listener), this.#alone.on(event, listener)];
    return () => {
      for (const off of offs) off();
    };
  };

  override async runTests(...[tests, ...rest]: Run): Promise<void> {
    const together = tests.filter((test) => !isAlone(test));
    const alone = tests.filter(isAlone);
    if (together.length > 0) await super.runTests(together, ...rest);
    if (alone.length > 0) await this.#alone.runTests(alone, ...rest);
  }
}
