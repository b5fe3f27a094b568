import { type PageProcess, startPageProcess } from '../support/page-processes';
import { describeWithServer, type NetworkServer } from '../support/servers';
import { steadyLoad } from '../support/steady-load';
import { OUTAGE_BACKENDS } from './backends';

const PER_SECOND = 200;
const ROUNDS = 20;

/** Ten times what it takes: how soon a server is used again is for `bench/` to say. */
const ATTEMPTS = 400;
const ATTEMPT_MS = 50;

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(OUTAGE_BACKENDS)('over $name', ({ kind, name, start, cacheOf, prepare }) => {
  describeWithServer(kind, `a site on ${name}`, () => {
    let server: NetworkServer;
    let site: PageProcess;

    beforeAll(async () => {
      server = await start();
      await prepare?.(server);
      site = await startPageProcess({ cache: cacheOf(server), handlerMs: 5 });
      await untilHit('warm');
    });

    afterAll(async () => {
      await server.stop();
      // Nothing of a server that is gone keeps the process alive.
      expect(await site.close()).toBe(0);
    });

    /** Waits for a page that is stored, and found again. */
    async function untilHit(path: string): Promise<void> {
      for (let i = 0; i < ATTEMPTS; i += 1) {
        await site.get(`/${path}-${i}`);
        await pass(ATTEMPT_MS);
        if (await site.isHit(`/${path}-${i}`)) return;
      }
      throw new Error(
        `It has not recovered: ${(await site.tally()).failures.slice(-5).join('; ')}`,
      );
    }

    /** Waits until the server is left alone. */
    async function untilOpen(): Promise<void> {
      for (;;) {
        const { failures } = await site.tally();
        if (failures.some((failure) => failure.includes('left alone'))) return;
        await pass(20);
      }
    }

    test('answers every request while it is frozen, killed and started again', async () => {
      const load = steadyLoad(PER_SECOND, (i) => site.get(`/steady-${i % 50}`));
      for (let round = 0; round < ROUNDS; round += 1) {
        server.freeze();
        await untilOpen();
        if (round % 4 === 3) {
          server.thaw();
        } else {
          await server.kill();
          await server.restart();
        }
        await untilHit(`round-${round}`);
      }
      const samples = await load.stop();
      expect(samples.length).toBeGreaterThan(PER_SECOND);
      expect(samples.filter(({ error }) => error !== undefined)).toEqual([]);
    }, 600_000);
  });
});
