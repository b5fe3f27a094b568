import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import {
  cachePage,
  fetchFromCache,
  invalidate,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import compression from 'compression';
import express from 'express';
import session from 'express-session';
import express4 from 'express4';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { type Listener, serveHttp1, serveHttp2 } from '../support/http-client';
import { describeEachStack, type Step } from '../support/stacks';
import { WAYS } from './ways-of-sending';

freshCaches();

const gated: GatedCache[] = [];

/** A backend whose purges are done when the test says so. */
class GatedCache extends ByteCache {
  override readonly isShared = true;
  /** How many purges have begun. */
  purges = 0;
  open: () => void = () => {};
  #gate: Promise<void> | undefined;

  constructor() {
    super(`gated ${Math.random()}`);
    gated.push(this);
  }

  shut(): void {
    this.#gate = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  override async set(...args: Parameters<ByteCache['set']>) {
    if (args[0].startsWith('cachewright.tag.u')) {
      this.purges += 1;
      await this.#gate;
    }
    await super.set(...args);
  }
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const servers: http.Server[] = [];

afterEach(() => {
  // Page caches of other tests are purged, too, for as long as they exist.
  for (const cache of gated.splice(0)) cache.open();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A connection that shows what has arrived so far. */
async function connected(listener: Listener) {
  const server = http.createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay(true);
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  socket.on('error', () => {});
  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 1000 && !condition(); i += 1) await pass(5);
    if (!condition()) throw new Error(`It never came. There is: ${text}`);
  };
  return {
    socket,
    server,
    text: () => text,
    send: (method: string, path = '/a') => {
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n`);
    },
    until,
    untilText: (part: string) => until(() => text.includes(part)),
  };
}

/** The pair on this cache, around the handler, on one of the stacks. */
type Build = Parameters<Parameters<typeof describeEachStack>[0]>[0];

function mounted(build: Build, handler: Step, options: PageCacheOptions): Listener {
  return build([updateCache(options) as Step, fetchFromCache() as Step, handler]);
}

describeEachStack((build) => {
  let cache: GatedCache;

  beforeEach(() => {
    cache = new GatedCache();
    cache.shut();
  });

  const WHOLE: Record<string, Step> = {
    'end(body)': (_req, res) => res.end('done'),
    'writeHead and end': (_req, res) => res.writeHead(201, { 'X-A': '1' }).end('done'),
    'a redirect': (_req, res) => res.writeHead(303, { Location: '/b' }).end('done'),
    'a redirect that is written': (_req, res) => {
      res.writeHead(303, { Location: '/b' });
      res.write('do');
      res.end('ne');
    },
    'a redirect in pieces': (_req, res) => {
      res.writeHead(303, { Location: '/b' });
      res.flushHeaders();
      res.write('do');
      res.end('ne');
    },
  };

  test.each(Object.entries(WHOLE))('%s waits whole until the purge is done', async (_way, step) => {
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.until(() => cache.purges > 0);
    await pass(30);
    expect(client.text()).toBe('');
    cache.open();
    await client.untilText('ne');
    expect(client.text()).toMatch(/^HTTP\/1\.1 [23]\d\d /);
  });

  test('of a streamed body only the end waits', async () => {
    const step: Step = (_req, res) => {
      res.writeHead(200, { 'X-A': '1' });
      res.flushHeaders();
      setTimeout(() => res.write('begun'), 20);
      setTimeout(() => res.end('ended'), 40);
    };
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.untilText('X-A: 1');
    await client.untilText('begun');
    await pass(60);
    expect(client.text()).not.toContain('ended');
    cache.open();
    await client.untilText('0\r\n\r\n');
    expect(client.text()).toContain('ended');
  });

  test('the handler sees a response that has ended, and its callbacks come in order', async () => {
    const seen: unknown[] = [];
    const step: Step = (_req, res) => {
      res.on('finish', () => seen.push('finish'));
      res.on('close', () => seen.push('close'));
      res.setHeader('X-A', '1');
      const returned = res.end('done', 'utf8', () => seen.push('callback'));
      seen.push(returned === res, res.headersSent, res.writableEnded);
      expect(() => res.setHeader('X-B', '1')).toThrow(/ERR_HTTP_HEADERS_SENT|after they are sent/);
    };
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.until(() => cache.purges > 0);
    await pass(20);
    expect(seen).toEqual([true, true, true]);
    cache.open();
    await client.until(() => seen.includes('close') || seen.length >= 5);
    expect(seen.slice(3, 5).sort()).toEqual(['callback', 'finish']);
    expect(client.text()).toContain('Content-Length: 4\r\n');
  });

  test('responses of one connection stay in order', async () => {
    let made = 0;
    const step: Step = (_req, res) => res.end(`answer ${++made}`);
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    client.send('PUT');
    client.send('GET', '/other');
    await client.until(() => cache.purges > 0);
    await pass(30);
    expect(client.text()).toBe('');
    cache.open();
    await client.untilText('answer 3');
    expect(client.text().match(/answer \d/g)).toEqual(['answer 1', 'answer 2', 'answer 3']);
  });

  test('a client that goes away while it waits is no error', async () => {
    const seen: string[] = [];
    const step: Step = (_req, res) => {
      res.on('close', () => seen.push('close'));
      res.on('error', (error) => seen.push(error.message));
      res.end('done');
    };
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.until(() => cache.purges > 0);
    client.socket.destroy();
    await client.until(() => seen.length > 0);
    cache.open();
    await pass(20);
    expect(seen).toEqual(['close']);
  });

  test('a purge that hangs holds it for writeTimeoutMs, and is reported', async () => {
    const failures: string[] = [];
    const onError = (error: unknown) => failures.push((error as Error).message);
    const options = { cache, writeTimeoutMs: 80, onError };
    const client = await connected(mounted(build, (_req, res) => res.end('done'), options));
    const startedAt = performance.now();
    client.send('POST');
    await client.untilText('done');
    expect(performance.now() - startedAt).toBeGreaterThan(70);
    expect(failures).toEqual([expect.stringMatching(/longer than 80 ms/)]);
  });

  test('a purge that fails does not keep the response, and is reported', async () => {
    const failures: unknown[] = [];
    let isFailing = true;
    class FailingCache extends GatedCache {
      override async setMany(...args: Parameters<ByteCache['setMany']>) {
        if (isFailing) throw new Error('refused');
        return super.setMany(...args);
      }
    }
    const options = {
      cache: new FailingCache(),
      onError: (error: unknown) => failures.push(error),
    };
    const client = await connected(mounted(build, (_req, res) => res.end('done'), options));
    client.send('POST');
    await client.untilText('done');
    isFailing = false;
    expect(failures).toEqual([new Error('refused')]);
  });

  test.each([404, 500])('a response with status %i does not wait', async (status) => {
    const step: Step = (_req, res) => res.writeHead(status).end('done');
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.untilText('done');
    expect(cache.purges).toBe(0);
  });

  test('a handler that ends it twice, or writes after the end, fails as without the cache', async () => {
    const seen: string[] = [];
    const step: Step = (_req, res) => {
      res.on('error', (error) => seen.push((error as NodeJS.ErrnoException).code!));
      res.end('done');
      res.write('more');
      res.end(() => seen.push('second callback'));
    };
    const client = await connected(mounted(build, step, { cache }));
    client.send('POST');
    await client.until(() => cache.purges > 0);
    cache.open();
    await client.untilText('done');
    await client.until(() => seen.length === 2);
    expect(seen.sort()).toEqual(['ERR_STREAM_WRITE_AFTER_END', 'second callback']);
    expect(client.text()).not.toContain('more');
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('on %s', (_name, make) => {
  let cache: GatedCache;

  beforeEach(() => {
    cache = new GatedCache();
    cache.shut();
  });

  test.each(['redirect', 'send', 'json', 'sendStatus'])('res.%s() waits whole', async (way) => {
    const app = make().use(updateCache({ cache }), fetchFromCache());
    app.post('/a', (_req, res) => {
      if (way === 'redirect') res.redirect(303, '/done');
      else if (way === 'sendStatus') res.sendStatus(200);
      else res[way as 'send']('done');
    });
    const client = await connected(app);
    client.send('POST');
    await client.until(() => cache.purges > 0);
    await pass(30);
    expect(client.text()).toBe('');
    cache.open();
    await client.untilText(way === 'sendStatus' ? 'OK' : 'done');
  });

  test('a handler that fails after its answer does not lose it', async () => {
    const app = make().use(updateCache({ cache }), fetchFromCache());
    app.post('/a', (_req, res, next) => {
      res.redirect(303, '/done');
      // Express cuts the connection.
      next(new Error('too late'));
    });
    const client = await connected(app);
    client.send('POST');
    await client.untilText('Location: /done');
    cache.open();
  });

  test('a response that passes two caches waits for both', async () => {
    const inner = new GatedCache();
    inner.shut();
    const app = make().use(updateCache({ cache }), fetchFromCache());
    app.all('/a', cachePage(60, { cache: inner }), (_req, res) => void res.send('done'));
    const client = await connected(app);
    client.send('POST');
    await client.until(() => cache.purges > 0 && inner.purges > 0);
    inner.open();
    await pass(30);
    expect(client.text()).toBe('');
    cache.open();
    await client.untilText('done');
    expect(client.text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  const SECRET = { secret: 's', resave: false, saveUninitialized: true };

  test.each<[string, (app: express.Express) => unknown]>([
    ['express-session in front', (app) => app.use(session(SECRET), cachePage(60, { cache }))],
    ['express-session behind', (app) => app.use(updateCache({ cache }), session(SECRET))],
    ['compression in front', (app) => app.use(compression(), cachePage(60, { cache }))],
    ['compression behind', (app) => app.use(updateCache({ cache }), compression())],
    [
      'both behind',
      (app) => app.use(updateCache({ cache }), compression(), session(SECRET), fetchFromCache()),
    ],
  ])('%s: its end waits, and it is whole', async (name, mount) => {
    const app = make();
    mount(app);
    const big = 'x'.repeat(5000);
    app.post('/a', (_req, res) => void res.type('text').send(big));
    app.post('/redirect', (_req, res) => res.redirect(303, '/done'));
    const site = await serveHttp1(app);
    const accepted = { 'Accept-Encoding': 'gzip' };
    try {
      let isDone = false;
      const answers = Promise.all([
        site.get('/a', accepted, 'POST'),
        site.get('/redirect', accepted, 'POST'),
      ]).finally(() => {
        isDone = true;
      });
      while (cache.purges < 2) await pass(5);
      await pass(30);
      expect(isDone).toBe(false);
      cache.open();
      const [page, redirect] = await answers;
      const isZipped = page.lines.includes('Content-Encoding: gzip');
      expect(isZipped).toBe(!name.startsWith('express-session'));
      if (!isZipped) expect(page.body.toString()).toBe(big);
      expect(redirect).toMatchObject({ status: 303 });
      expect(redirect.lines).toContain('Location: /done');
      const hasCookie = redirect.lines.some((line) => line.startsWith('Set-Cookie: connect.sid'));
      expect(hasCookie).toBe(!name.startsWith('compression'));
    } finally {
      await site.close();
    }
  });
});

describe.each([
  ['HTTP/1', serveHttp1],
  ['HTTP/2', serveHttp2],
])('over %s', (_name, serve) => {
  const plain = (lines: readonly string[]) =>
    lines
      .filter((line) => !/^date:/i.test(line))
      .map((line) => line.toLowerCase())
      .sort();

  test.each(Object.keys(WAYS))('a POST that is answered by %s has the same bytes', async (way) => {
    const handler: Listener = (_req, res) => void WAYS[way]!(res);
    const update = updateCache({ cache: new GatedCache() });
    const sites = await Promise.all([
      serve(handler),
      serve((req, res) => update(req, res, () => handler(req, res))),
    ]);
    try {
      const [expected, held] = await Promise.all(sites.map((site) => site.get('/a', {}, 'POST')));
      expect(held).toEqual({ ...expected, lines: expect.anything() });
      expect(
        plain(held!.lines).filter((line) => !/^(content-length|transfer-encoding)/.test(line)),
      ).toEqual(
        plain(expected!.lines).filter((line) => !/^(content-length|transfer-encoding)/.test(line)),
      );
    } finally {
      await Promise.all(sites.map((site) => site.close()));
    }
  });
});

describe('over HTTP/2', () => {
  test.each([
    ['a redirect', 303, true],
    ['a body in one piece', 201, true],
    ['a streamed body', 200, false],
  ])('%s', async (_what, status, isHeld) => {
    const cache = new GatedCache();
    cache.shut();
    const update = updateCache({ cache });
    const seen: unknown[] = [];
    const server = http2.createServer((req, res) =>
      update(req, res, () => {
        res.on('finish', () => seen.push('finish'));
        res.writeHead(status, { 'x-a': '1', ...(status === 303 && { location: '/b' }) });
        if (status === 200) res.write('do');
        res.end(status === 200 ? 'ne' : 'done');
        seen.push(res.headersSent, res.writableEnded);
        expect(() => res.writeHead(200)).toThrow(/already been initiated/);
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    try {
      const stream = client.request({ ':path': '/a', ':method': 'POST' }, { endStream: true });
      let head: http2.IncomingHttpHeaders | undefined;
      let body = '';
      stream.on('response', (fields) => {
        head = fields;
      });
      stream.on('data', (data) => {
        body += data;
      });
      while (cache.purges === 0) await pass(5);
      await pass(40);
      expect(head === undefined).toBe(isHeld);
      expect(body).toBe(isHeld ? '' : 'do');
      expect(seen).toEqual([true, true]);
      cache.open();
      await new Promise((resolve) => stream.on('end', resolve));
      expect(head).toMatchObject({ ':status': status, 'x-a': '1' });
      expect(body).toBe('done');
      while (seen.length < 3) await pass(5);
      expect(seen[2]).toBe('finish');
    } finally {
      client.close();
      server.close();
    }
  });
});

test('a body shorter than was announced cuts the connection, and no more', async () => {
  const cache = new GatedCache();
  cache.shut();
  const update = updateCache({ cache });
  const client = await connected((req, res) =>
    update(req, res, () => {
      res.strictContentLength = true;
      res.writeHead(200, { 'Content-Length': 10 }).end('done');
    }),
  );
  client.send('POST');
  const closed = new Promise((resolve) => client.socket.on('close', resolve));
  await client.until(() => cache.purges > 0);
  cache.open();
  await closed;
});

test('close() waits for the purge of a response that is held', async () => {
  const cache = new GatedCache();
  cache.shut();
  class ClosingCache extends GatedCache {
    override async close() {
      await this.finishAll();
    }
  }
  const closing = new ClosingCache();
  closing.shut();
  const app = express().use(updateCache({ cache: closing }));
  app.post('/a', (_req, res) => void res.send('done'));
  const client = await connected(app);
  client.send('POST');
  await client.until(() => closing.purges > 0);
  let isClosed = false;
  const closed = closing.close().then(() => {
    isClosed = true;
  });
  await pass(30);
  expect(isClosed).toBe(false);
  closing.open();
  await closed;
  await client.untilText('done');
});

test('server.close() does not cut a response that is held', async () => {
  const cache = new GatedCache();
  cache.shut();
  const app = express().use(updateCache({ cache }));
  app.post('/a', (_req, res) => void res.send('done'));
  const client = await connected(app);
  client.send('POST');
  await client.until(() => cache.purges > 0);
  client.server.close();
  client.server.closeIdleConnections();
  cache.open();
  await client.untilText('done');
});

test('invalidate() takes a URL object', async () => {
  const cache = new GatedCache();
  updateCache({ cache });
  await invalidate(new URL('http://a.test/a'));
  expect(cache.purges).toBe(1);
});
