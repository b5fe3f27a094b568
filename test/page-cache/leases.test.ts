import { request } from 'node:http';
import {
  CacheUnavailableError,
  FileBasedCache,
  fetchFromCache,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import connect from 'connect';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { type Received, type Site, serveHttp1 } from '../support/http-client';
import { makeOrigin, type Respond } from '../support/origin';
import { tempDirectories } from '../support/temp-directory';
import { UNHURRIED } from '../support/unhurried';

/** Files, as a server would be: one store for several processes. */
class SharedFiles extends FileBasedCache {
  override readonly isShared = true;
  /** How often a lease was made longer. */
  renewals = 0;
  /** How often a lease was given back, the page being there to be found by then. */
  releases = 0;

  override async extendLease(...args: Parameters<FileBasedCache['extendLease']>) {
    const wasOurs = await super.extendLease(...args);
    if (wasOurs && args[2] > 0) this.renewals += 1;
    if (wasOurs && args[2] === 0) this.releases += 1;
    return wasOurs;
  }
}

const tempDirectory = tempDirectories();
freshCaches({ default: {} });
const clock = stopClock();

const sites: Site[] = [];
afterEach(async () => {
  await Promise.all(sites.splice(0).map((site) => site.close()));
});

interface Process {
  readonly cache: SharedFiles;
  readonly ask: (headers?: Record<string, string>) => Promise<Received>;
  readonly port: number;
}

/** Processes that share a cache, and a handler that answers when it is told to. */
async function open(answer: Respond, count: number, options: PageCacheOptions = {}) {
  const location = tempDirectory();
  const waiting: (() => void)[] = [];
  const origin = makeOrigin(async (res, call, req) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return answer(res, call, req);
  });
  const processes: Process[] = [];
  for (let i = 0; i < count; i += 1) {
    const cache = new SharedFiles(location);
    const app = connect();
    app.use(updateCache({ cache, cacheStatus: true, ...UNHURRIED, ...options }) as never);
    app.use(fetchFromCache() as never);
    app.use(origin.handle);
    const site = await serveHttp1(app);
    sites.push(site);
    const ask = (headers: Record<string, string> = {}) =>
      site.get('/page', { Host: 'www.example.com', ...headers });
    processes.push({ cache, ask, port: site.port });
  }
  return {
    origin,
    processes,
    underWay: () => waiting.length,
    renewals: () => processes.reduce((sum, { cache }) => sum + cache.renewals, 0),
    releases: () => processes.reduce((sum, { cache }) => sum + cache.releases, 0),
    releaseOne: () => waiting.shift()?.(),
    release: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

const page: Respond = (res, call) => res.end(`page ${call}`);
const texts = async (answers: readonly Promise<Received>[]) =>
  (await Promise.all(answers)).map(({ body }) => body.toString());

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('of several processes one renders a page, and all answer with it', async () => {
  const { origin, processes, underWay, release } = await open(page, 3);
  const answers = processes.flatMap(({ ask }) => Array.from({ length: 20 }, () => ask()));
  await until(() => underWay() === 1);
  await pass(200);
  release();
  expect(new Set(await texts(answers))).toEqual(new Set(['page 1']));
  expect(origin.calls).toBe(1);
});

test('who comes once the page is there does not render it either', async () => {
  const { origin, processes, underWay, release } = await open(page, 2);
  const first = processes[0]!.ask();
  await until(() => underWay() === 1);
  const readLease = jest.spyOn(processes[1]!.cache, 'readLease');
  const second = processes[1]!.ask();
  await until(() => readLease.mock.calls.length > 0);
  release();
  await first;
  const { lines } = await second;
  expect(lines.find((line) => /^cache-status/i.test(line))).toMatch(/hit.*collapsed/);
  expect(origin.calls).toBe(1);
});

test('a verdict against storing releases all processes at once', async () => {
  const { origin, processes, underWay, releaseOne, release } = await open(
    (res, call) => {
      res.setHeader('Cache-Control', 'no-store');
      res.end(`page ${call}`);
    },
    4,
    { waitMs: 60_000 },
  );
  const answers = processes.flatMap(({ ask }) => Array.from({ length: 5 }, () => ask()));
  await until(() => underWay() === 1);
  await pass(100);
  releaseOne();
  // Nobody waits for anybody: all are in the handler before one is let out of it.
  await until(() => underWay() === 19);
  release();
  expect(new Set(await texts(answers)).size).toBe(20);
  expect(origin.calls).toBe(20);
});

test('the verdict takes the place of the lease: nobody gets it in between', async () => {
  const { processes, underWay, release } = await open((res) => {
    res.setHeader('Cache-Control', 'no-store');
    res.end('page');
  }, 2);
  const [first, second] = processes;
  const extendLease = first!.cache.extendLease.bind(first!.cache);
  const outcomes: boolean[] = [];
  first!.cache.extendLease = async (key, ...rest) => {
    const wasOurs = await extendLease(key, ...rest);
    outcomes.push(wasOurs, await second!.cache.acquireLease(key, 'rival', 1, 5000));
    return wasOurs;
  };
  const answer = first!.ask();
  await until(() => underWay() === 1);
  release();
  await answer;
  await until(() => outcomes.length > 0);
  expect(outcomes).toEqual([true, false]);
});

test('an error in one process gives the next its turn', async () => {
  const { origin, processes, underWay, release } = await open((res, call) => {
    if (call === 1) res.statusCode = 500;
    res.end(`page ${call}`);
  }, 2);
  const [first, second] = processes.map(({ ask }) => ask());
  await until(() => underWay() === 1);
  release();
  await until(() => underWay() === 1);
  release();
  expect(new Set(await texts([first!, second!]))).toEqual(new Set(['page 1', 'page 2']));
  expect(origin.calls).toBe(2);
});

test('a process that dies is waited for until its lease has run out', async () => {
  const { origin, processes, underWay, release } = await open(page, 2);
  const [dying, other] = processes;
  // Dead processes renew nothing.
  dying!.cache.extendLease = () => new Promise(() => {});
  dying!.ask().catch(() => {});
  await until(() => underWay() === 1);
  const answer = other!.ask();
  clock.advance(1.9);
  await pass(250);
  expect(origin.calls).toBe(1);
  clock.advance(0.2);
  await until(() => origin.calls === 2);
  release();
  expect((await answer).body.toString()).toBe('page 2');
});

test('a backend that cuts what is beyond whole seconds is asked for two of them', async () => {
  const { processes, underWay, release } = await open(page, 1);
  const { cache, ask } = processes[0]!;
  const add = jest.spyOn(cache, 'add');
  const touch = jest.spyOn(cache, 'touch');
  const answer = ask();
  await until(() => underWay() === 1);
  release();
  await answer;
  expect(add.mock.calls.map(([, , seconds]) => seconds)).toEqual([2]);
  // It was ours when the page was stored.
  await until(() => touch.mock.calls.length > 0);
  expect(touch.mock.calls.map(([, seconds]) => seconds)).toEqual([2]);
});

test('who takes longer than a lease renews it', async () => {
  const { origin, processes, underWay, release, renewals } = await open(page, 2);
  const answers = [processes[0]!.ask()];
  await until(() => underWay() === 1);
  answers.push(processes[1]!.ask());
  for (let i = 0; i < 2; i += 1) {
    clock.advance(1.5);
    // One may have been under way already.
    const target = renewals() + 2;
    await until(() => renewals() >= target);
  }
  expect(origin.calls).toBe(1);
  release();
  expect(await texts(answers)).toEqual(['page 1', 'page 1']);
});

test('a lease that cannot be given back is not renewed any more', async () => {
  const { processes, underWay, release } = await open(page, 1, { onError: () => {} });
  const { cache, ask } = processes[0]!;
  let answerRenewal = () => {};
  const renewals = jest.fn(() => new Promise<void>((resolve) => (answerRenewal = resolve)));
  let isGivenBack = false;
  cache.extendLease = async (_key, _token, seconds) => {
    if (seconds === 0) {
      isGivenBack = true;
      throw new Error('connection refused');
    }
    await renewals();
    return true;
  };
  const answer = ask();
  await until(() => underWay() === 1 && renewals.mock.calls.length === 1);
  const renewed = answerRenewal;
  release();
  await answer;
  // Whether it may be stored is asked, too.
  await until(() => renewals.mock.calls.length === 2);
  answerRenewal();
  await until(() => isGivenBack);
  renewed();
  await pass(700);
  expect(renewals).toHaveBeenCalledTimes(2);
});

test('who was stuck while another had its turn does not overwrite its page', async () => {
  const { processes, underWay, releaseOne, releases } = await open(page, 2);
  const [stuck, other] = processes;
  const { cache } = stuck!;
  const extendLease = cache.extendLease.bind(cache);
  cache.extendLease = () => new Promise(() => {});
  const late = stuck!.ask();
  await until(() => underWay() === 1);
  const answer = other!.ask();
  await pass(50);
  clock.advance(2.1);
  await until(() => underWay() === 2);
  cache.extendLease = extendLease;
  const setFrozen = jest.spyOn(cache, 'setFrozen');
  releaseOne();
  expect((await late).body.toString()).toBe('page 1');
  await pass(100);
  expect(setFrozen).not.toHaveBeenCalled();
  releaseOne();
  expect((await answer).body.toString()).toBe('page 2');
  await until(() => releases() >= 1);
  expect((await stuck!.ask()).body.toString()).toBe('page 2');
});

test('a process waits for another no longer than waitMs', async () => {
  const { origin, processes, underWay, release } = await open(page, 2, { waitMs: 200 });
  const answers = [processes[0]!.ask()];
  await until(() => underWay() === 1);
  answers.push(processes[1]!.ask());
  await until(() => underWay() === 2);
  release();
  expect(new Set(await texts(answers))).toEqual(new Set(['page 1', 'page 2']));
  expect(origin.calls).toBe(2);
});

test('when the one who waits for another process hangs up, another takes over', async () => {
  const { origin, processes, underWay, release } = await open((res, call) => {
    if (call === 1) res.statusCode = 500;
    res.end(`page ${call}`);
  }, 2);
  const [first, second] = processes;
  const failing = first!.ask();
  await until(() => underWay() === 1);
  const headers = { Host: 'www.example.com' };
  const gone = request({ port: second!.port, host: '127.0.0.1', path: '/page', headers });
  gone.on('error', () => {}).end();
  await pass(60);
  const answers = [second!.ask(), second!.ask()];
  await pass(60);
  gone.destroy();
  await pass(60);
  release();
  await failing;
  await until(() => underWay() === 1);
  release();
  expect(await texts(answers)).toEqual(['page 2', 'page 2']);
  // Nothing was rendered for the one who is gone.
  expect(origin.calls).toBe(2);
});

test('a variant learnt of while waiting is rendered on its own', async () => {
  const { origin, processes, underWay, release } = await open((res, call, req) => {
    res.setHeader('Vary', 'X-Variant');
    res.end(`${req.headers['x-variant']} by ${call}`);
  }, 2);
  const answers = [processes[0]!.ask({ 'X-Variant': 'a' })];
  await until(() => underWay() === 1);
  answers.push(processes[1]!.ask({ 'X-Variant': 'b' }), processes[1]!.ask({ 'X-Variant': 'a' }));
  await pass(60);
  release();
  await until(() => underWay() === 1);
  release();
  expect(await texts(answers)).toEqual(['a by 1', 'b by 2', 'a by 1']);
  expect(origin.calls).toBe(2);
});

test('a stale page is refreshed by one process', async () => {
  const { origin, processes, underWay, release, releases } = await open(page, 2, {
    seconds: 10,
    staleWhileRevalidate: 60,
  });
  const first = processes[0]!.ask();
  await until(() => underWay() === 1);
  release();
  await first;
  await until(() => releases() >= 1);
  clock.advance(11);
  const stale = processes.flatMap(({ ask }) => [ask(), ask(), ask()]);
  expect(new Set(await texts(stale))).toEqual(new Set(['page 1']));
  await until(() => underWay() === 1);
  await pass(200);
  expect(await texts(processes.map(({ ask }) => ask()))).toEqual(['page 1', 'page 1']);
  expect(origin.calls).toBe(2);
  release();
  await until(() => releases() >= 2);
  expect(await texts(processes.map(({ ask }) => ask()))).toEqual(['page 2', 'page 2']);
  expect(origin.calls).toBe(2);
});

describe('when the backend does not answer', () => {
  test('each process renders on its own, its own requests once', async () => {
    const { origin, processes, underWay, release } = await open(page, 2, { onError: () => {} });
    for (const { cache } of processes) {
      cache.acquireLease = async () => {
        throw new Error('connection refused');
      };
    }
    const answers = processes.flatMap(({ ask }) => Array.from({ length: 5 }, () => ask()));
    await until(() => underWay() === 2);
    release();
    expect(new Set(await texts(answers)).size).toBe(2);
    expect(origin.calls).toBe(2);
  });

  test('who had no answer in time asks it for nothing else before the page is rendered', async () => {
    const { processes, underWay, release } = await open(page, 1, { onError: () => {} });
    const { cache, ask } = processes[0]!;
    cache.acquireLease = async () => {
      throw new CacheUnavailableError('It took longer than 100 ms.', 'timeout');
    };
    const readCounters = jest.spyOn(cache, 'readCounters');
    const answer = ask();
    await until(() => underWay() === 1);
    expect(readCounters).not.toHaveBeenCalled();
    release();
    const { lines } = await answer;
    expect(lines.find((line) => /^cache-status/i.test(line))).toMatch(/look-up-failed/);
  });

  test('it is not asked for a lease by who could not look up the page', async () => {
    const { processes, underWay, release } = await open(page, 1, { onError: () => {} });
    const { cache, ask } = processes[0]!;
    cache.getFrozen = async () => {
      throw new Error('connection refused');
    };
    const acquireLease = jest.spyOn(cache, 'acquireLease');
    const answer = ask();
    await until(() => underWay() === 1);
    release();
    await answer;
    expect(acquireLease).not.toHaveBeenCalled();
  });

  test('who could not look up the page does not try again for what was made meanwhile', async () => {
    const { origin, processes, underWay, release } = await open(page, 1, { onError: () => {} });
    const { cache, ask } = processes[0]!;
    const refusals: ((error: Error) => void)[] = [];
    cache.getFrozen = () => new Promise((_resolve, reject) => refusals.push(reject));
    const answers = [ask()];
    await until(() => refusals.length === 1);
    answers.push(ask());
    await until(() => refusals.length === 2);
    for (const [i, refuse] of refusals.entries()) {
      refuse(new Error('connection refused'));
      await until(() => underWay() === 1);
      release();
      await answers[i];
    }
    expect(refusals).toHaveLength(2);
    expect(origin.calls).toBe(2);
  });

  test('while others are waited for, they are waited for no more', async () => {
    const { origin, processes, underWay, release } = await open(page, 2, { onError: () => {} });
    const answers = [processes[0]!.ask()];
    await until(() => underWay() === 1);
    processes[1]!.cache.readLease = async () => {
      throw new Error('connection refused');
    };
    answers.push(processes[1]!.ask());
    await until(() => underWay() === 2);
    release();
    await Promise.all(answers);
    expect(origin.calls).toBe(2);
  });
});

test('a cache of one process takes no leases', async () => {
  const { processes, underWay, release } = await open(page, 1);
  const { cache, ask } = processes[0]!;
  Object.assign(cache, { isShared: false });
  const acquireLease = jest.spyOn(cache, 'acquireLease');
  const answer = ask();
  await until(() => underWay() === 1);
  release();
  await answer;
  expect(acquireLease).not.toHaveBeenCalled();
});

describe('with a replica that lags', () => {
  /** Lets a process see no more than it saw so far, unless it asks for the latest. */
  function stopReplication(cache: FileBasedCache, seen: ReadonlyMap<string, Uint8Array>): void {
    const getFrozen = cache.getFrozen.bind(cache);
    cache.getFrozen = (key, deadlineMs, isLatest) =>
      isLatest ? getFrozen(key, deadlineMs, isLatest) : Promise.resolve(seen.get(key));
  }

  test('who waited for a page does not render it again', async () => {
    const { origin, processes, underWay, release } = await open(page, 2);
    for (const { cache } of processes) stopReplication(cache, new Map());
    const answers = [processes[0]!.ask()];
    await until(() => underWay() === 1);
    const readLease = jest.spyOn(processes[1]!.cache, 'readLease');
    answers.push(processes[1]!.ask());
    await until(() => readLease.mock.calls.length > 0);
    release();
    expect(await texts(answers)).toEqual(['page 1', 'page 1']);
    expect(origin.calls).toBe(1);
  });

  test('a page that another has refreshed is not refreshed again', async () => {
    const { origin, processes, underWay, release, releases } = await open(page, 2, {
      seconds: 10,
      staleWhileRevalidate: 60,
    });
    const [first, second] = processes;
    const seen = new Map<string, Uint8Array>();
    const getFrozen = second!.cache.getFrozen.bind(second!.cache);
    second!.cache.getFrozen = async (key, deadlineMs) => {
      const found = (await getFrozen(key, deadlineMs)) as Uint8Array | undefined;
      if (found !== undefined) seen.set(key, found);
      return found;
    };
    const cold = first!.ask();
    await until(() => underWay() === 1);
    release();
    await cold;
    await until(() => releases() >= 1);
    expect((await second!.ask()).body.toString()).toBe('page 1');
    second!.cache.getFrozen = getFrozen;
    stopReplication(second!.cache, seen);
    clock.advance(11);
    await first!.ask();
    await until(() => underWay() === 1);
    release();
    await until(() => releases() >= 2);
    expect((await second!.ask()).body.toString()).toBe('page 1');
    await pass(100);
    expect(underWay()).toBe(0);
    expect(origin.calls).toBe(2);
  });

  test('a variant that is added leaves those of other processes their way in', async () => {
    const { origin, processes, underWay, release, releases } = await open((res, _call, req) => {
      res.setHeader('Vary', 'X-Variant');
      res.end(`page ${req.headers['x-variant']}`);
    }, 2);
    stopReplication(processes[1]!.cache, new Map());
    for (const [i, variant] of ['a', 'b'].entries()) {
      const answer = processes[i]!.ask({ 'X-Variant': variant });
      await until(() => underWay() === 1);
      release();
      await answer;
      await until(() => releases() >= i + 1);
    }
    expect(await texts([processes[0]!.ask({ 'X-Variant': 'a' })])).toEqual(['page a']);
    expect(origin.calls).toBe(2);
  });
});
