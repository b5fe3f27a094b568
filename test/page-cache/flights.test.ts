import { request as httpRequest } from 'node:http';
import { fetchFromCache, invalidate, type PageCacheOptions, updateCache } from 'cachewright';
import { ByteCache } from '../support/backends';
import { runScript } from '../support/child';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { type Listener, type Received, type Site, serveHttp1 } from '../support/http-client';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { tempDirectories } from '../support/temp-directory';
import { watchWrites } from '../support/watch-writes';

const tempDirectory = tempDirectories();
freshCaches({
  files: { backend: 'file', location: tempDirectory() },
  bytes: { backend: ByteCache, location: 'flights' },
});
const clock = stopClock();
watchWrites('files');

const sites: Site[] = [];
afterEach(async () => {
  await Promise.all(sites.splice(0).map((site) => site.close()));
});

/** A server, and visitors who all ask at the same time. */
async function open(listener: Listener) {
  let arrived = 0;
  const site = await serveHttp1((req, res) => {
    arrived += 1;
    listener(req, res);
  });
  sites.push(site);
  const ask = (headers: Record<string, string> = {}, path = '/page', method = 'GET') =>
    site.get(path, { Host: 'www.example.com', ...headers }, method);
  const askAll = (count: number, headersOf: (i: number) => Record<string, string> = () => ({})) =>
    Array.from({ length: count }, (_, i) => ask(headersOf(i)));
  /** Waits until so many have been looked up, and wait in their turn. */
  const met = async (count: number) => {
    await until(() => arrived >= count);
    await settled();
  };
  return { site, ask, askAll, met };
}

const textOf = ({ body }: Received) => body.toString();
const texts = async (answers: readonly Promise<Received>[]) =>
  (await Promise.all(answers)).map(textOf);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** A handler that answers when it is told to, and tells how many runs of it overlap. */
function gate(answer: Respond) {
  const waiting: (() => void)[] = [];
  let most = 0;
  const origin = makeOrigin(async (res, call, req) => {
    const released = new Promise<void>((resolve) => waiting.push(resolve));
    most = Math.max(most, waiting.length);
    await released;
    return answer(res, call, req);
  });
  return {
    origin,
    /** Runs under way. */
    underWay: () => waiting.length,
    mostAtOnce: () => most,
    releaseOne: () => waiting.shift()?.(),
    release: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

const gatedApp = (answer: Respond, options?: PageCacheOptions) => {
  const { origin, ...gated } = gate(answer);
  return { ...gated, ...pageApp((res, _call, req) => origin.handle(req, res), { options }) };
};

const page: Respond = (res, call) => res.end(`page ${call}`);

describe.each(['default', 'bytes', 'files'])('in the cache %s', (cache) => {
  test('a thousand who ask for a cold page share one run', async () => {
    const { app, origin } = pageApp(
      async (res, call) => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        res.end(`page ${call}`);
      },
      { options: { cache } },
    );
    const { askAll } = await open(app);
    const answers = await Promise.all(askAll(1000));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(textOf))).toEqual(new Set(['page 1']));
    expect(origin.calls).toBe(1);
  });

  test('two hundred who ask for a page known not to be stored all run at once', async () => {
    const { app, origin, underWay, release } = gatedApp(
      (res, call) => {
        res.setHeader('Cache-Control', 'no-store');
        res.end(`page ${call}`);
      },
      { cache },
    );
    const { ask, askAll } = await open(app);
    const first = ask();
    await until(() => underWay() === 1);
    release();
    await first;
    const answers = askAll(200);
    // Nobody has to wait for anybody: all are in the handler before one is let out of it.
    await until(() => underWay() === 200);
    release();
    expect(new Set(await texts(answers)).size).toBe(200);
    expect(origin.calls).toBe(201);
  });

  test('those of other variants run on their own, one each', async () => {
    const { app, origin, underWay, release } = gatedApp(
      (res, call, req) => {
        res.setHeader('Vary', 'X-Variant');
        res.end(`${req.headers['x-variant']} by ${call}`);
      },
      { cache },
    );
    const { askAll, met } = await open(app);
    const answers = askAll(40, (i) => ({ 'X-Variant': String(i % 4) }));
    await until(() => underWay() === 1);
    await met(40);
    const releasing = setInterval(release, 10);
    const all = await texts(answers);
    clearInterval(releasing);
    for (const [i, text] of all.entries()) expect(text).toMatch(new RegExp(`^${i % 4} by `));
    expect(new Set(all).size).toBe(4);
    expect(origin.calls).toBe(4);
  });
});

describeEachStack((build) => {
  test('those who ask together share one run', async () => {
    const { origin, underWay, release } = gate(page);
    const app = build([updateCache() as unknown as Step, fetchFromCache() as never, origin.handle]);
    const { askAll, met } = await open(app as Listener);
    const answers = askAll(20);
    await met(20);
    expect(underWay()).toBe(1);
    release();
    expect(new Set(await texts(answers))).toEqual(new Set(['page 1']));
    expect(origin.calls).toBe(1);
  });
});

describe('a verdict against storing', () => {
  test.each<[string, Respond]>([
    ['no-store', (res) => res.setHeader('Cache-Control', 'no-store')],
    ['private', (res) => res.setHeader('Cache-Control', 'private')],
    ['Vary: *', (res) => res.setHeader('Vary', '*')],
    ['a cookie', (res, call) => res.setHeader('Set-Cookie', `sid=${call}`)],
    ['a 404', (res) => (res.statusCode = 404)],
    ['a redirect', (res) => res.writeHead(302, { Location: '/login' })],
    ['a 500', (res) => (res.statusCode = 500)],
    ['an event stream', (res) => res.setHeader('Content-Type', 'text/event-stream')],
    ['a length over maxBytes', (res) => res.setHeader('Content-Length', 2 ** 30)],
    ['req.ip', (_res, _call, req) => (req as unknown as { ip: string }).ip],
  ])('releases all who wait as the head is sent, by %s', async (_what, refuse) => {
    const { app, origin, underWay, releaseOne, release } = gatedApp((res, call, req) => {
      refuse(res, call, req);
      res.write(' ');
    });
    const { askAll, met } = await open(app);
    const answers = askAll(30);
    await met(30);
    expect(origin.calls).toBe(1);
    releaseOne();
    // The first has not even ended, and all others run.
    await until(() => underWay() === 29);
    release();
    expect(origin.calls).toBe(30);
    for (const answer of answers) answer.catch(() => {});
  });

  test.each<[string, Respond]>([
    [
      'that has outgrown maxBytes',
      (res) => {
        res.write('x'.repeat(100));
        setTimeout(() => res.end(), 20);
      },
    ],
    [
      'that has trailers',
      (res) => {
        res.setHeader('Trailer', 'X-Checksum');
        res.write('x');
        setTimeout(() => res.end(), 20);
      },
    ],
    [
      'for which something was read too late',
      (res, _call, req) => {
        res.write('hello ');
        res.end(String(req.headers.cookie));
      },
    ],
    [
      'with a field that cannot be stored',
      (res) => {
        res.setHeader('Content-Length', '1, 1');
        res.end('x');
      },
    ],
  ])('is known also of a page %s', async (_what, answer) => {
    const { app, origin, underWay, releaseOne, release } = gatedApp(answer, { maxBytes: 50 });
    const { ask, askAll, met } = await open(app);
    const answers = askAll(10);
    await met(10);
    expect(origin.calls).toBe(1);
    releaseOne();
    await until(() => underWay() === 9);
    release();
    await Promise.allSettled(answers);
    // Nor do those wait who come later.
    const later = askAll(10);
    await until(() => underWay() === 10);
    release();
    await Promise.allSettled(later);
    expect(origin.calls).toBe(20);
    // Once it is forgotten, they do.
    clock.advance(60);
    const last = [ask(), ask()];
    await met(22);
    expect(origin.calls).toBe(21);
    releaseOne();
    await until(() => underWay() === 1);
    release();
    await Promise.allSettled(last);
  });

  test('gives no two clients the same cookie', async () => {
    const { app, origin, underWay, release } = gatedApp((res, call) => {
      res.setHeader('Set-Cookie', `sid=${call}`);
      res.end(`welcome ${call}`);
    });
    const { askAll, met } = await open(app);
    const answers = askAll(50);
    await met(50);
    release();
    await until(() => underWay() === 49);
    release();
    const all = await Promise.all(answers);
    const cookies = all.map(({ lines }) => lines.find((line) => /^set-cookie/i.test(line)));
    expect(new Set(cookies).size).toBe(50);
    expect(new Set(all.map(textOf)).size).toBe(50);
    expect(origin.calls).toBe(50);
  });

  test('of an error is not remembered', async () => {
    const { app, origin, underWay, release } = gatedApp((res, call) => {
      if (call <= 10) res.statusCode = 500;
      res.end(`page ${call}`);
    });
    const { askAll, met } = await open(app);
    const answers = askAll(10);
    await met(10);
    release();
    await until(() => underWay() === 9);
    release();
    await Promise.all(answers);
    const later = askAll(10);
    await met(20);
    release();
    expect(new Set(await texts(later))).toEqual(new Set(['page 11']));
    expect(origin.calls).toBe(11);
  });

  test('ends with the first page that is stored', async () => {
    const { app, origin, underWay, release } = gatedApp((res, call) => {
      if (call === 1) res.statusCode = 404;
      res.end(`page ${call}`);
    });
    const { ask, askAll, met } = await open(app);
    for (const call of [1, 2]) {
      const answer = ask();
      await until(() => underWay() === 1);
      release();
      expect(textOf(await answer)).toBe(`page ${call}`);
    }
    clock.advance(600);
    const answers = askAll(10);
    await met(12);
    release();
    expect(new Set(await texts(answers))).toEqual(new Set(['page 3']));
    expect(origin.calls).toBe(3);
  });
});

test('pages that are stale as soon as they are stored let nobody queue', async () => {
  const { app, origin, underWay, release } = gatedApp(
    (res, call) => {
      res.setHeader('ETag', `"${call}"`);
      res.setHeader('Cache-Control', 'max-age=0');
      res.end(`page ${call}`);
    },
    { patchHeaders: false },
  );
  const { askAll, met } = await open(app);
  const answers = askAll(10);
  await met(10);
  release();
  await until(() => underWay() === 9);
  release();
  expect(new Set(await texts(answers)).size).toBe(10);
  expect(origin.calls).toBe(10);
});

describe('a leader', () => {
  test('that hangs is waited for no longer than waitMs, and then replaced', async () => {
    const { app, origin, underWay, releaseOne } = gatedApp(page, { waitMs: 2000 });
    const { ask, askAll, met } = await open(app);
    const hanging = ask();
    await until(() => underWay() === 1);
    const waiting = askAll(5);
    await until(() => underWay() === 6);
    // Whoever comes now waits for the one that has replaced it, and not for the one that hangs.
    const late = askAll(5);
    await met(11);
    expect(underWay()).toBe(6);
    for (let i = 0; i < 6; i++) releaseOne();
    const all = await texts([hanging, ...waiting, ...late]);
    expect(new Set(all.slice(0, 6)).size).toBe(6);
    expect(origin.calls).toBe(6);
  });

  test('whose client hangs up strands nobody', async () => {
    const { app, origin, underWay, releaseOne, release } = gatedApp(page);
    const { site, askAll, met } = await open(app);
    const leader = httpRequest({
      port: site.port,
      host: '127.0.0.1',
      path: '/page',
      headers: { Host: 'www.example.com' },
    });
    leader.on('error', () => {});
    leader.end();
    await until(() => underWay() === 1);
    const answers = askAll(10);
    await met(11);
    leader.destroy();
    await until(() => underWay() === 2);
    expect(origin.calls).toBe(2);
    // What the first makes is nobody's, as its client may have got a part of it.
    releaseOne();
    await settled();
    release();
    expect(new Set(await texts(answers))).toEqual(new Set(['page 2']));
    expect(origin.calls).toBe(2);
  });

  test('whose client hangs up in the middle of the page strands nobody', async () => {
    let finish = (): void => {};
    const { app, origin, underWay, releaseOne, release } = gatedApp((res, call) => {
      res.write(`page ${call}, `);
      finish = () => res.end('the end');
      if (call > 1) finish();
    });
    const { site, askAll, met } = await open(app);
    const leader = httpRequest({
      port: site.port,
      host: '127.0.0.1',
      path: '/page',
      headers: { Host: 'www.example.com' },
    });
    leader.on('error', () => {});
    leader.on('response', (res) => res.once('data', () => leader.destroy()).on('error', () => {}));
    leader.end();
    await until(() => underWay() === 1);
    const answers = askAll(10);
    await met(11);
    releaseOne();
    await until(() => underWay() === 1);
    finish();
    release();
    expect(new Set(await texts(answers))).toEqual(new Set(['page 2, the end']));
    expect(origin.calls).toBe(2);
  });

  test.each<[string, Respond]>([
    ['at once', (res) => res.destroy()],
    [
      'in the middle of the page',
      (res) => {
        res.write('half a ');
        setImmediate(() => res.destroy());
      },
    ],
    ['by its socket', (res) => res.socket!.destroy()],
    [
      'short of the length it has announced',
      (res) => {
        res.setHeader('Content-Length', 100);
        res.write('half a ');
        res.destroy();
      },
    ],
  ])('whose handler hangs up %s strands nobody', async (_when, hangUp) => {
    const { app, origin, underWay, releaseOne, release } = gatedApp((res, call, req) =>
      call === 1 ? hangUp(res, call, req) : res.end(`page ${call}`),
    );
    const { ask, askAll, met } = await open(app);
    const leader = ask();
    await until(() => underWay() === 1);
    const answers = askAll(10);
    await met(11);
    releaseOne();
    await expect(leader).rejects.toThrow();
    await until(() => underWay() === 1);
    release();
    expect(new Set(await texts(answers))).toEqual(new Set(['page 2']));
    expect(origin.calls).toBe(2);
  });

  test('that is gone before it begins keeps nobody waiting', async () => {
    const bytes = new ByteCache('flights-gone');
    let look = (): void => {};
    let looks = 0;
    // The first look-up takes so long that its client is gone.
    const get = bytes.get.bind(bytes);
    bytes.get = (async (...args: Parameters<typeof get>) => {
      if (args[0].startsWith('cachewright.')) return get(...args);
      looks += 1;
      if (looks === 1) await new Promise<void>((resolve) => (look = resolve));
      return get(...args);
    }) as typeof bytes.get;
    const { app, origin } = pageApp(
      (res, call) => (res.destroyed ? undefined : res.end(`page ${call}`)),
      { options: { cache: bytes, waitMs: 600_000 } },
    );
    const { site, ask } = await open(app);
    const leader = httpRequest({
      port: site.port,
      host: '127.0.0.1',
      path: '/page',
      headers: { Host: 'www.example.com' },
    });
    leader.on('error', () => {});
    leader.end();
    await until(() => looks === 1);
    leader.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    look();
    await settled();
    expect(textOf(await ask())).toMatch(/^page/);
    expect(origin.calls).toBeLessThanOrEqual(2);
  });
});

test('waitMs: 0 lets nobody wait', async () => {
  const { app, underWay, release } = gatedApp(page, { waitMs: 0 });
  const { askAll } = await open(app);
  const answers = askAll(10);
  await until(() => underWay() === 10);
  release();
  expect(new Set(await texts(answers)).size).toBe(10);
});

test('a page invalidated while it is made is given to nobody who asked afterwards', async () => {
  const { app, origin, underWay, releaseOne, release } = gatedApp(page);
  const { ask, met } = await open(app);
  const before = ask();
  await until(() => underWay() === 1);
  await invalidate('http://www.example.com/page');
  const after = ask();
  await met(2);
  releaseOne();
  expect(textOf(await before)).toBe('page 1');
  await until(() => underWay() === 1);
  release();
  expect(textOf(await after)).toBe('page 2');
  expect(origin.calls).toBe(2);
});

test('a page that takes its time to be written is found by those who come meanwhile', async () => {
  const bytes = new ByteCache('flights-slow');
  const held: (() => void)[] = [];
  /** Lets what is held be written, once it is. */
  const write = async (): Promise<void> => {
    await until(() => held.length > 0);
    for (const release of held.splice(0)) release();
    await settled();
  };
  const set = bytes.set.bind(bytes);
  bytes.set = async (...args: Parameters<typeof set>) => {
    const isPage = !args[0].startsWith('cachewright.');
    if (isPage) await new Promise<void>((resolve) => held.push(resolve));
    return set(...args);
  };
  const { app, origin } = pageApp(
    (res, call, req) => {
      res.setHeader('Vary', 'X-Variant');
      res.end(`${req.headers['x-variant'] ?? 'page'} ${call}`);
    },
    { options: { cache: bytes } },
  );
  const { ask } = await open(app);
  expect(textOf(await ask())).toBe('page 1');
  expect(textOf(await ask())).toBe('page 1');
  expect(origin.calls).toBe(1);
  // Invalidated before it is written, it does not come back by that.
  const invalidated = invalidate('http://www.example.com/page');
  await settled();
  await write();
  await invalidated;
  expect(textOf(await ask())).toBe('page 2');
  await write();
  // A variant that is being written is found, too. Others need not wait: the inputs are known.
  const one = ask({ 'X-Variant': 'one' });
  await until(() => origin.calls === 3);
  expect(textOf(await one)).toBe('one 3');
  const other = ask({ 'X-Variant': 'other' });
  await until(() => origin.calls === 4);
  expect(textOf(await other)).toBe('other 4');
  expect(textOf(await ask({ 'X-Variant': 'one' }))).toBe('one 3');
  expect(textOf(await ask())).toBe('page 2');
  expect(origin.calls).toBe(4);
  await write();
});

test('two sites in one cache do not wait for each other', async () => {
  const one = gatedApp(page, { keyPrefix: 'one' });
  const two = gatedApp(page, { keyPrefix: 'two' });
  const answers = [(await open(one.app)).ask(), (await open(two.app)).ask()];
  await until(() => one.underWay() === 1 && two.underWay() === 1);
  one.release();
  two.release();
  expect(await texts(answers)).toEqual(['page 1', 'page 1']);
});

test('nothing keeps the process alive: not a wait, not a hanging leader', async () => {
  const { stdout } = await runScript(`
    const http = require('node:http');
    const { updateCache, fetchFromCache } = cachewright;
    // For longer than this process may take.
    const update = updateCache({ waitMs: 600_000 });
    const fetch = fetchFromCache();
    const clients = [];
    const ask = () => {
      clients.push(http.get({ port, host: '127.0.0.1', path: '/' }).on('error', () => {}));
    };
    let port;
    let calls = 0;
    let arrived = 0;
    const server = http.createServer((req, res) => {
      update(req, res, () => fetch(req, res, () => { calls += 1; }));
      arrived += 1;
      if (arrived === 1) for (let i = 0; i < 2; i += 1) ask();
      if (arrived === 3) setTimeout(end, 100);
    });
    const end = () => {
      console.log(calls);
      for (const client of clients) client.destroy();
      server.close();
    };
    server.listen(0, '127.0.0.1', () => {
      ({ port } = server.address());
      ask();
    });
  `);
  expect(stdout).toBe('1\n');
});
