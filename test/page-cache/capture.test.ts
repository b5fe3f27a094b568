import type { IncomingMessage, ServerResponse } from 'node:http';
import { caches, configureCaches, fetchFromCache, updateCache } from 'cachewright';
import compression from 'compression';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import {
  type Listener,
  type Received,
  type Site,
  serveHttp1,
  serveHttp2,
} from '../support/http-client';
import { SOME_FILE, WAYS } from './ways-of-sending';

type Step = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Where `compression()` stands to the page cache. */
const COMPRESSIONS = ['absent', 'outside', 'between', 'inside'] as const;
const PROTOCOLS = { 'HTTP/1.1': serveHttp1, 'HTTP/2': serveHttp2 };

let site: Site;

beforeEach(() => configureCaches({ default: {} }));
afterEach(async () => {
  await site.close();
  await caches.default.clear();
});

/** The page cache with compression in its place, as a list of middleware. */
function steps(place: (typeof COMPRESSIONS)[number]): Step[] {
  const compress = compression({ threshold: 0 }) as unknown as Step;
  const pair: Step[] = [updateCache(), fetchFromCache()];
  if (place === 'absent') return pair;
  pair.splice(['outside', 'between', 'inside'].indexOf(place), 0, compress);
  return pair;
}

/** Plain Node: each step calls the next. */
function chain(all: Step[]): Listener {
  return (req, res) => {
    const run = (i: number) => all[i]!(req, res, () => run(i + 1));
    run(0);
  };
}

/** Fields of the connection, and those that tell a hit from a miss. */
const APART = /^(connection|keep-alive|transfer-encoding|age): /i;

function expectHitEqualsMiss(miss: Received, hit: Received): void {
  const isLength = (line: string) => /^content-length: /i.test(line);
  expect(hit.status).toBe(miss.status);
  expect(hit.reason).toBe(miss.reason);
  expect(hit.body.equals(miss.body)).toBe(true);
  const wanted = miss.lines.filter((line) => !APART.test(line));
  const got = hit.lines.filter((line) => !APART.test(line));
  if (wanted.some(isLength)) {
    expect(got.sort()).toEqual(wanted.sort());
  } else {
    // Sent in chunks first; stored, its length is known.
    expect(got.filter((line) => !isLength(line)).sort()).toEqual(wanted.sort());
    expect(got.filter(isLength).every((line) => line.endsWith(`: ${hit.body.length}`))).toBe(true);
  }
  expect(miss.lines.some((line) => /^age:/i.test(line))).toBe(false);
  expect(hit.lines.some((line) => /^age: \d+$/i.test(line))).toBe(true);
}

describe.each(Object.entries(PROTOCOLS))('over %s', (protocol, serve) => {
  describe.each(COMPRESSIONS)('with compression %s', (place) => {
    test.each(Object.entries(WAYS))(
      '%s: the hit equals the miss (CONV-10, VARY-08)',
      async (_way, send) => {
        let calls = 0;
        const handler: Step = (_req, res) => {
          calls += 1;
          send(res);
        };
        site = await serve(chain([...steps(place), handler]));
        const headers = { 'accept-encoding': 'gzip' };
        const miss = await site.get('/page', headers);
        const hit = await site.get('/page', headers);
        const again = await site.get('/page', headers);
        expect(calls).toBe(1);
        expect(miss.status).toBe(200);
        expectHitEqualsMiss(miss, hit);
        expect(again.body.equals(hit.body)).toBe(true);
      },
    );

    test('a client without gzip gets plain bytes, before and after others (PAGE-58)', async () => {
      const handler: Step = (_req, res) => {
        res.setHeader('Content-Type', 'text/plain');
        res.end('plain '.repeat(500));
      };
      site = await serve(chain([...steps(place), handler]));
      const gzipped = await site.get('/page', { 'accept-encoding': 'gzip' });
      const plain = await site.get('/page', { 'accept-encoding': 'identity' });
      const plainHit = await site.get('/page', { 'accept-encoding': 'identity' });
      const gzippedHit = await site.get('/page', { 'accept-encoding': 'gzip' });
      expect(plain.body.toString()).toBe('plain '.repeat(500));
      expect(plainHit.body.equals(plain.body)).toBe(true);
      expect(plainHit.lines.some((line) => /^content-encoding:/i.test(line))).toBe(false);
      expect(gzippedHit.body.equals(gzipped.body)).toBe(true);
      const isGzipped = gzipped.lines.some((line) => /^content-encoding: gzip/i.test(line));
      expect(isGzipped).toBe(place !== 'absent');
    });
  });

  test('HEAD after GET, and HEAD alone, tell the length of the GET (PAGE-43, PAGE-45)', async () => {
    const handler: Step = (_req, res) => {
      res.setHeader('Content-Length', '12');
      res.end('twelve bytes');
    };
    site = await serve(chain([...steps('absent'), handler]));
    const alone = await site.get('/a', {}, 'HEAD');
    const aloneAgain = await site.get('/a', {}, 'HEAD');
    expectHitEqualsMiss(alone, aloneAgain);
    const full = await site.get('/a');
    expect(full.body.toString()).toBe('twelve bytes');
    const after = await site.get('/a', {}, 'HEAD');
    expect(after.body.length).toBe(0);
    expect(after.lines.find((line) => /^content-length/i.test(line))).toMatch(/: 12$/);
  });

  const REFUSED: Record<string, (res: ServerResponse) => void> = {
    'fewer bytes than its Content-Length': (res) => {
      res.setHeader('Content-Length', '100');
      res.write('short');
      // Node holds HTTP/1 to nothing here; the client waits for the rest until the end.
      setImmediate(() => res.destroy());
    },
    'a body that outgrows maxBytes while it is sent (PAGE-09)': (res) => {
      res.write(Buffer.alloc(700_000, 'a'));
      res.end(Buffer.alloc(700_000, 'b'));
    },
    'a socket destroyed by the handler': (res) => {
      res.write('half');
      setImmediate(() => res.destroy());
    },
  };

  test.each(Object.entries(REFUSED))('%s: never stored', async (_what, send) => {
    let calls = 0;
    const handler: Step = (_req, res) => {
      calls += 1;
      send(res);
    };
    site = await serve(chain([...steps('absent'), handler]));
    const first = await site.get('/page').catch(() => undefined);
    await site.get('/page').catch(() => undefined);
    expect(calls).toBe(2);
    if (first !== undefined && protocol === 'HTTP/1.1') expect(first.body.length).toBe(1_400_000);
  });

  test('a response with trailers is never stored', async () => {
    let calls = 0;
    const handler: Step = (_req, res) => {
      calls += 1;
      res.write('body');
      res.addTrailers({ 'x-checksum': '1' });
      res.end();
    };
    site = await serve(chain([...steps('absent'), handler]));
    await site.get('/page');
    expect((await site.get('/page')).body.toString()).toBe('body');
    expect(calls).toBe(2);
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('%s', (_name, makeApp) => {
  const EXPRESS_WAYS: Record<string, (req: express.Request, res: express.Response) => unknown> = {
    'send(string)': (_req, res) => res.send('<p>Grüße</p>'),
    'send(Buffer)': (_req, res) => res.send(Buffer.from([0, 255, 1])),
    'send(object)': (_req, res) => res.send({ a: [1, 'ü'] }),
    json: (_req, res) => res.json({ a: 1 }),
    jsonp: (_req, res) => res.jsonp({ a: 1 }),
    render: (_req, res) => res.render('page.tpl', { name: 'Ü' }),
    sendFile: (_req, res) => res.sendFile(SOME_FILE, { maxAge: 60_000 }),
    download: (_req, res) => res.download(SOME_FILE, 'näme.md', { maxAge: 60_000 }),
    'type and attachment': (_req, res) => res.type('csv').attachment('a.csv').send('1;2'),
    'links and append': (_req, res) => res.links({ next: '/2' }).append('Link', '</3>').send('x'),
    'send of nothing': (_req, res) => res.send(),
    'a status text': (_req, res) => {
      res.statusMessage = 'Splendid';
      res.send('x');
    },
  };

  describe.each(COMPRESSIONS)('with compression %s', (place) => {
    test.each(Object.entries(EXPRESS_WAYS))('%s: the hit equals the miss', async (_way, send) => {
      let calls = 0;
      const app = makeApp();
      app.engine('tpl', (_path, options, done) =>
        done(null, `<p>${(options as { name: string }).name}</p>`),
      );
      app.set('views', __dirname);
      // Only the engine's text counts; Express wants a file to be there.
      app.set(
        'view',
        class {
          path = 'page.tpl';
          render(options: { name: string }, done: (error: null, html: string) => void) {
            done(null, `<p>${options.name}</p>`);
          }
        },
      );
      for (const step of steps(place)) app.use(step as express.RequestHandler);
      app.get('/page', (req, res) => {
        calls += 1;
        send(req, res);
      });
      site = await serveHttp1(app);
      const headers = { 'accept-encoding': 'gzip' };
      const miss = await site.get('/page', headers);
      const hit = await site.get('/page', headers);
      expect(calls).toBe(1);
      expectHitEqualsMiss(miss, hit);
    });
  });

  test('sendFile says max-age=0 unless told otherwise, and is not stored then (PAGE-19)', async () => {
    let calls = 0;
    const app = makeApp();
    for (const step of steps('absent')) app.use(step as express.RequestHandler);
    app.get('/page', (_req, res) => {
      calls += 1;
      res.sendFile(SOME_FILE);
    });
    site = await serveHttp1(app);
    await site.get('/page');
    const second = await site.get('/page');
    expect(calls).toBe(2);
    expect(second.lines).toContain('Cache-Control: public, max-age=0');
  });

  test('redirect passes unchanged and is not stored (PAGE-08)', async () => {
    let calls = 0;
    const app = makeApp();
    for (const step of steps('between')) app.use(step as express.RequestHandler);
    app.get('/page', (_req, res) => {
      calls += 1;
      res.redirect('/elsewhere');
    });
    site = await serveHttp1(app);
    const first = await site.get('/page');
    const second = await site.get('/page');
    expect([first.status, second.status, calls]).toEqual([302, 302, 2]);
    expect(first.lines.some((line) => /^(expires|cache-control): /i.test(line))).toBe(false);
  });
});

test('Connect: the pair works as its middleware', async () => {
  let calls = 0;
  const app = connect();
  for (const step of steps('between')) app.use(step as connect.NextHandleFunction);
  app.use('/page', (_req, res) => {
    calls += 1;
    res.end('connect');
  });
  site = await serveHttp1(app);
  const miss = await site.get('/page');
  expectHitEqualsMiss(miss, await site.get('/page'));
  expect(calls).toBe(1);
});

describe('an abort by the client', () => {
  const CHUNKS = 12;

  // Every boundary: before the head, after it, and after each chunk, the last one included.
  test.each(Array.from({ length: CHUNKS + 2 }, (_, i) => i))(
    'after %i steps of the response leaves no entry',
    async (abortAt) => {
      const net = await import('node:net');
      let calls = 0;
      let socket: import('node:net').Socket | undefined;
      const handler: Step = async (_req, res) => {
        calls += 1;
        const isAborted = calls === 1;
        const pause = async (step: number) => {
          if (!isAborted || step !== abortAt) return;
          const closed = new Promise((resolve) => res.once('close', resolve));
          socket!.destroy();
          await closed;
        };
        await pause(0);
        res.setHeader('Content-Length', String(CHUNKS * 10));
        res.flushHeaders();
        await pause(1);
        for (let i = 0; i < CHUNKS; i++) {
          res.write(`chunk ${String(i).padStart(3)};`);
          await pause(i + 2);
        }
        res.end();
      };
      site = await serveHttp1(chain([...steps('absent'), handler]));
      socket = net.connect(site.port, '127.0.0.1');
      socket.write('GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      await new Promise((resolve) => socket!.once('close', resolve));
      // The handler goes on to its end, unaware; let it get there.
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      const whole = await site.get('/page', { host: '127.0.0.1' });
      expect(calls).toBe(2);
      expect(whole.body.length).toBe(CHUNKS * 10);
      const hit = await site.get('/page', { host: '127.0.0.1' });
      expect(calls).toBe(2);
      expect(hit.body.equals(whole.body)).toBe(true);
    },
  );
});
