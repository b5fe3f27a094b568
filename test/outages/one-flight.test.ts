import type { PageProcessPlan } from '../support/page-process';
import { type PageProcess, startPageProcess } from '../support/page-processes';
import { describeWithServer, type NetworkServer } from '../support/servers';
import { UNHURRIED } from '../support/unhurried';
import { OUTAGE_BACKENDS } from './backends';

const PROCESSES = 4;
const VISITORS = 250;

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(OUTAGE_BACKENDS)('over $name', ({ kind, name, start, cacheOf, prepare }) => {
  describeWithServer(kind, `processes that share ${name}`, () => {
    let server: NetworkServer;
    let processes: PageProcess[];
    /** What the processes have told of, as each does so once. */
    const reported: string[] = [];

    beforeAll(async () => {
      server = await start();
      await prepare?.(server);
      const plan: PageProcessPlan = {
        cache: cacheOf(server),
        handlerMs: 0,
        // All of it runs on one machine at once, which makes anything slow. Nor does anybody give up.
        options: { ...UNHURRIED, waitMs: 600_000 },
      };
      processes = await Promise.all(
        Array.from({ length: PROCESSES }, () => startPageProcess(plan)),
      );
    });

    afterAll(async () => {
      await Promise.all(processes.map((one) => one.close()));
      await server.stop();
    });

    const calls = async () =>
      (await Promise.all(processes.map((one) => one.tally()))).map((tally) => tally.calls);

    const total = async () => (await calls()).reduce((sum, count) => sum + count, 0);

    /** Nobody is answered before all have come and looked, however slow the machine is. */
    const askAll = async (path: string) => {
      const before = await Promise.all(processes.map((one) => one.hold()));
      const answers = Promise.all(
        processes.flatMap((one) => Array.from({ length: VISITORS }, () => one.get(path))),
      );
      for (const [i, one] of processes.entries()) {
        const target = before[i]!.arrived + VISITORS;
        // Twice, as some look when others have.
        for (let idle = 0; idle < 2; ) {
          const { arrived, looking, failures } = await one.tally();
          reported.push(...failures);
          idle = arrived === target && looking === 0 ? idle + 1 : 0;
          await pass(20);
        }
      }
      await Promise.all(processes.map((one) => one.release()));
      return answers;
    };

    test('render a cold page once', async () => {
      const before = await total();
      const answers = await askAll('/cold');
      expect(answers).toHaveLength(PROCESSES * VISITORS);
      const tallies = await Promise.all(processes.map((one) => one.tally()));
      expect([...reported, ...tallies.flatMap(({ failures }) => failures)]).toEqual([]);
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
    });

    test('wait for one that was killed no longer than its lease', async () => {
      const before = await calls();
      await Promise.all(processes.map((one) => one.hold()));
      const answers = processes.map((one) =>
        Promise.allSettled(Array.from({ length: 20 }, () => one.get('/killed'))),
      );
      const holder = await findHolder(processes, before);
      await processes[holder]!.kill();
      const others = processes.filter((_one, i) => i !== holder);
      await Promise.all(others.map((one) => one.release()));
      const rest = answers.filter((_answer, i) => i !== holder);
      const settled = (await Promise.all(rest)).flat();
      processes = others;
      expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
      const rendered = await Promise.all(processes.map((one) => one.tally()));
      const counts = before.filter((_count, i) => i !== holder);
      expect(rendered.reduce((sum, { calls }, i) => sum + calls - counts[i]!, 0)).toBe(1);
    });
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
  for (let i = 0; i < 600; i += 1) {
    const answers = [];
    for (const one of processes) answers.push(await one.get(`/shared${i}`));
    if (new Set(answers).size === 1) return;
    // A server that was gone is asked now and then only.
    await pass(100);
  }
  throw new Error('They do not find their server again.');
}
