import type { PageProcessPlan } from '../support/page-process';
import { type PageProcess, startPageProcess } from '../support/page-processes';
import { describeWithServer, type NetworkServer } from '../support/servers';
import { OUTAGE_BACKENDS } from './backends';

/** Long enough for all visitors to have arrived meanwhile, however slow the machine is. */
const HANDLER_MS = 1000;
const PROCESSES = 4;
const VISITORS = 250;

describe.each(OUTAGE_BACKENDS)('over $name', ({ kind, name, start, cacheOf, prepare }) => {
  describeWithServer(kind, `processes that share ${name}`, () => {
    let server: NetworkServer;
    let processes: PageProcess[];

    beforeAll(async () => {
      server = await start();
      await prepare?.(server);
      const plan: PageProcessPlan = {
        cache: cacheOf(server),
        handlerMs: HANDLER_MS,
        // All of it runs on one machine at once, which makes anything slow. Nor does anybody give up.
        options: { readTimeoutMs: 2000, writeTimeoutMs: 2000, waitMs: 120_000 },
      };
      processes = await Promise.all(
        Array.from({ length: PROCESSES }, () => startPageProcess(plan)),
      );
    }, 60_000);

    afterAll(async () => {
      await Promise.all(processes.map((one) => one.close()));
      await server.stop();
    });

    const calls = async () =>
      (await Promise.all(processes.map((one) => one.tally()))).map((tally) => tally.calls);

    const total = async () => (await calls()).reduce((sum, count) => sum + count, 0);

    const askAll = (path: string) =>
      Promise.all(
        processes.flatMap((one) => Array.from({ length: VISITORS }, () => one.get(path))),
      );

    test('render a cold page once', async () => {
      const before = await total();
      const answers = await askAll('/cold');
      expect(answers).toHaveLength(PROCESSES * VISITORS);
      expect(new Set(answers).size).toBe(1);
      expect((await total()) - before).toBe(1);
    });

    test('render it once each while the server is gone, and are none the worse for it', async () => {
      await server.kill();
      const before = await calls();
      const answers = await askAll('/alone');
      expect(answers).toHaveLength(PROCESSES * VISITORS);
      const after = await calls();
      expect(after.map((count, i) => count - before[i]!)).toEqual(processes.map(() => 1));
      await server.restart();
      await untilShared(processes);
    }, 60_000);

    test('wait for one that was killed no longer than its lease', async () => {
      const before = await calls();
      const answers = processes.map((one) =>
        Promise.allSettled(Array.from({ length: 20 }, () => one.get('/killed'))),
      );
      const holder = await findHolder(processes, before);
      await processes[holder]!.kill();
      const rest = answers.filter((_answer, i) => i !== holder);
      const settled = (await Promise.all(rest)).flat();
      processes.splice(holder, 1);
      expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
      const rendered = await Promise.all(processes.map((one) => one.tally()));
      const others = before.filter((_count, i) => i !== holder);
      expect(rendered.reduce((sum, { calls }, i) => sum + calls - others[i]!, 0)).toBe(1);
    }, 60_000);
  });
});

/** The process whose handler runs. */
async function findHolder(processes: readonly PageProcess[], before: number[]): Promise<number> {
  for (;;) {
    const tallies = await Promise.all(processes.map((one) => one.tally()));
    const holder = tallies.findIndex(({ calls }, i) => calls > before[i]!);
    if (holder !== -1) return holder;
  }
}

/** Waits until the processes have found their server again, and share what they store. */
async function untilShared(processes: readonly PageProcess[]): Promise<void> {
  for (let i = 0; i < 50; i += 1) {
    const answers = [];
    for (const one of processes) answers.push(await one.get(`/shared${i}`));
    if (new Set(answers).size === 1) return;
  }
  throw new Error('They do not find their server again.');
}
