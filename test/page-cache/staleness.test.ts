import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  cachePage,
  fetchFromCache,
  invalidate,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import compression from 'compression';
import express from 'express';
import express4 from 'express4';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { type Listener, serveHttp1, serveHttp2 } from '../support/http-client';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { sessionMiddleware, sessionOf } from '../support/session';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { tempDirectories } from '../support/temp-directory';
import { visit } from '../support/visit';
import { watchWrites } from '../support/watch-writes';

const tempDirectory = tempDirectories();
freshCaches({ files: { backend: 'file', location: tempDirectory() } });
const clock = stopClock();
const written = watchWrites('files');

let log: jest.SpyInstance;
beforeEach(() => {
  // Express tells of errors in handlers there.
  log = jest.spyOn(console, 'error').mockImplementation();
});
afterEach(() => log.mockRestore());

/** Waits until `holds`, for as long as a test may take. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const PAIR = (options: PageCacheOptions = {}): Step[] => [
  updateCache(options) as unknown as Step,
  fetchFromCache() as unknown as Step,
];

describeEachStack((build) => {
  test.each<[string, PageCacheOptions, string]>([
    ['its header', {}, 'max-age=10, stale-while-revalidate=20'],
    ['the option', { staleWhileRevalidate: 20 }, 'max-age=10'],
  ])(
    'by %s a stale page is sent at once, and made anew once behind the scenes (RFC 5861 §3)',
    async (_what, options, cacheControl) => {
      let release = (): void => {};
      const origin = makeOrigin(async (res, call) => {
        if (call > 1) await new Promise<void>((resolve) => (release = resolve));
        res.setHeader('Cache-Control', cacheControl);
        res.end(`page ${call}`);
      });
      const app = build([...PAIR(options), origin.handle]);
      await visit(app, '/page').expect('page 1');
      await settled();
      clock.advance(10);
      for (let i = 0; i < 3; i++)
        await visit(app, '/page').expect(200, 'page 1').expect('Age', '10');
      // The handler is still at it, once.
      expect(origin.calls).toBe(2);
      release();
      await settled();
      await visit(app, '/page').expect('page 2').expect('Age', '0');
      expect(origin.calls).toBe(2);
    },
  );

  test('the request behind the scenes is like a first one, with nothing of a visitor', async () => {
    const seen: IncomingMessage[] = [];
    const steps: Step[] = [
      ...PAIR({ staleWhileRevalidate: 20, seconds: 10 }),
      (req, res) => {
        seen.push(req);
        res.setHeader('Vary', 'Accept-Language');
        res.end('page');
      },
    ];
    const site = await serveHttp1(build(steps) as Listener);
    try {
      const host = `www.example.com:${site.port}`;
      const sent = { Host: host, Cookie: 'sid=1', 'X-Secret': 's', 'Accept-Language': 'de' };
      await site.get('/page?a=%20b', { ...sent, Authorization: '' });
      await settled();
      clock.advance(10);
      await site.get('/page?a=%20b', { ...sent, Range: 'bytes=0-0', 'If-None-Match': '"x"' });
      await settled();
    } finally {
      await site.close();
    }
    const [first, second] = seen;
    expect(seen).toHaveLength(2);
    // Compared here: a socket is too much for a message.
    expect(second!.socket === first!.socket).toBe(false);
    expect(second!.method).toBe('GET');
    expect((second as { originalUrl?: string }).originalUrl ?? second!.url).toBe('/page?a=%20b');
    expect({ ...second!.headers }).toEqual({
      host: first!.headers.host,
      'accept-language': 'de',
    });
    expect(second!.rawHeaders).toEqual(['host', first!.headers.host, 'accept-language', 'de']);
    // One that nobody has (RFC 5737).
    expect(second!.socket.remoteAddress).toBe('192.0.2.1');
    expect(second!.complete).toBe(true);
  });

  test.each([500, 502, 503, 504])(
    'a stale page stands in for a %d (RFC 5861 §4)',
    async (status) => {
      const origin = makeOrigin((res, call) => {
        res.setHeader('X-Call', call);
        if (call === 1) res.setHeader('Cache-Control', 'max-age=10, stale-if-error=20');
        else res.statusCode = status;
        res.end(`page ${call}`);
      });
      const app = build([...PAIR(), origin.handle]);
      await visit(app, '/page').expect('page 1');
      await settled();
      clock.advance(29);
      const { headers } = await visit(app, '/page').expect(200, 'page 1').expect('X-Call', '1');
      expect(headers).toMatchObject({ age: '29', 'content-length': '6' });
      expect(origin.calls).toBe(2);
      clock.advance(1);
      await visit(app, '/page').expect(status, 'page 3');
    },
  );

  test('and for a handler that gives up by next(error)', async () => {
    let calls = 0;
    const app = build([
      ...PAIR({ seconds: 10, staleIfError: 20 }),
      (_req, res, next) => {
        calls += 1;
        if (calls === 1) return res.end('page');
        return next(new Error('lost the database'));
      },
    ]);
    await visit(app, '/page').expect('page');
    await settled();
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page').expect('Age', '10');
    expect(calls).toBe(2);
    clock.advance(20);
    await visit(app, '/page').expect(500);
  });

  test('cachePage() goes by the headers of its page', async () => {
    const origin = makeOrigin((res, call) => {
      res.setHeader('Cache-Control', 'max-age=10, stale-while-revalidate=20, stale-if-error=40');
      if (call > 2) res.statusCode = 503;
      res.end(`page ${call}`);
    });
    const app = build([
      { path: '/page', steps: [cachePage(10) as unknown as Step, origin.handle] },
    ]);
    await visit(app, '/page').expect('page 1');
    await settled();
    clock.advance(10);
    await visit(app, '/page').expect('page 1');
    await settled();
    await visit(app, '/page').expect('page 2').expect('Age', '0');
    clock.advance(30);
    await visit(app, '/page').expect(200, 'page 2').expect('Age', '30');
    expect(origin.calls).toBe(3);
  });
});

const LONG = 'all work and no play makes the cache a dull page '.repeat(4000);

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('behind the scenes, on %s,', (_name, makeApp) => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewright-staleness-'));
    writeFileSync(join(directory, 'page.txt'), LONG);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const SENDING: Record<string, express.Handler> = {
    'send()': (_req, res) => void res.send(LONG),
    'json()': (_req, res) => void res.json([LONG]),
    'sendFile()': (_req, res) => res.sendFile(join(directory, 'page.txt'), { maxAge: 10_000 }),
    'pipe()': (_req, res) => void createReadStream(join(directory, 'page.txt')).pipe(res),
    'pipeline()': (_req, res) => void pipeline(Readable.from([LONG, LONG]), res),
    'write()': (_req, res) => {
      res.write(LONG);
      setImmediate(() => res.end(LONG, 'latin1', () => {}));
    },
    'flushHeaders() first': (_req, res) => {
      res.flushHeaders();
      setImmediate(() => res.end(LONG));
    },
    'writeEarlyHints() first': (_req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.end(LONG);
    },
    'what looks at its connection': (req, res) => {
      res.socket?.setTimeout(100_000);
      req.setTimeout(100_000);
      res.end(LONG + String(req.socket.readable) + String(res.socket?.writable));
    },
  };

  test.each(Object.entries(SENDING))(
    'a page by %s is made anew, with compression and without',
    async (_how, send) => {
      let calls = 0;
      const app = makeApp();
      app.use(updateCache({ seconds: 10, staleWhileRevalidate: 20 }), compression());
      app.use(fetchFromCache());
      app.use((req, res, next) => {
        calls += 1;
        res.type('txt');
        // A new time of its own, lest the page be confirmed.
        res.setHeader('Last-Modified', new Date(clock.now()).toUTCString());
        send(req, res, next);
      });
      for (const encoding of ['gzip', 'identity']) {
        calls = 0;
        const asks = () => visit(app, '/page').set('Accept-Encoding', encoding);
        const { text, headers } = await asks().expect(200);
        expect(headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
        expect(text.length).toBeGreaterThanOrEqual(LONG.length);
        await until(() => calls === 1);
        await settled();
        clock.advance(10);
        const stale = await asks().expect(200);
        expect(stale.text).toBe(text);
        expect(stale.headers.age).toBe('10');
        for (let i = 0; i < 200; i++) {
          const renewed = await asks().expect(200);
          expect(renewed.text).toBe(text);
          expect(renewed.headers['content-encoding']).toBe(headers['content-encoding']);
          if (renewed.headers.age === '0') break;
          expect(renewed.headers.age).toBe('10');
        }
        expect((await asks()).headers.age).toBe('0');
        expect(calls).toBe(2);
      }
    },
  );

  test('a session is a new one, and whoever has one of their own renders (DESIGN 2.2)', async () => {
    const app = makeApp();
    const seen: unknown[] = [];
    app.use(updateCache({ seconds: 10, staleWhileRevalidate: 20 }));
    app.use(sessionMiddleware({ a: { name: 'Ann' } }) as never, fetchFromCache());
    app.get('/greeting', (req, res) => {
      seen.push(sessionOf(req).name);
      res.send(`hello ${sessionOf(req).name ?? 'stranger'}`);
    });
    app.get('/page', (req, res) => {
      seen.push(req.headers.cookie);
      res.vary('X-Nothing').send('page');
    });
    const asAnn = (path: string) => visit(app, path).set('Cookie', 'sid=a');
    await asAnn('/greeting').expect('hello Ann');
    await visit(app, '/greeting').expect('hello stranger');
    clock.advance(10);
    await visit(app, '/greeting').expect('hello stranger').expect('Age', '10');
    await settled();
    const { headers } = await asAnn('/greeting').expect('hello Ann');
    expect(headers).not.toHaveProperty('age');
    await settled();
    expect(seen).toEqual(['Ann', undefined, undefined, 'Ann']);
    await asAnn('/greeting').expect('hello Ann').expect('Age', '0');
    await visit(app, '/greeting').expect('hello stranger').expect('Age', '0');
    expect(seen).toHaveLength(4);
  });

  const FAILING: Record<string, express.Handler> = {
    'answers 500': (_req, res) => void res.status(500).send('sorry'),
    throws: () => {
      throw new Error('lost the database');
    },
    'passes an error on': (_req, _res, next) => next(new Error('lost the database')),
    'throws after the head': (_req, res) => {
      res.write('half a');
      throw new Error('lost the database');
    },
    'hangs up': (req) => void req.socket.destroy(),
    'hangs up by the response': (_req, res) => void res.destroy(new Error('lost')),
    'hangs up by its connection, with an error': (_req, res) =>
      void res.socket?.destroy(new Error('lost')),
    'ends twice': (_req, res) => {
      res.status(500).end('one');
      res.end('two');
    },
  };

  test.each(Object.entries(FAILING))(
    'a handler that %s is left alone for a while, and the page sent on (RFC 5861 §3)',
    async (_how, fail) => {
      let calls = 0;
      const app = makeApp();
      app.use(updateCache({ seconds: 10, staleWhileRevalidate: 200 }), fetchFromCache());
      app.get('/page', (req, res, next) => {
        calls += 1;
        if (calls === 1) res.send('page');
        else fail(req, res, next);
      });
      app.use(((_error, _req, res, next) => {
        if (res.headersSent) next(_error);
        else res.status(500).end();
      }) as express.ErrorRequestHandler);
      jest.spyOn(Math, 'random').mockReturnValue(0.999);
      try {
        await visit(app, '/page').expect('page');
        clock.advance(10);
        // Tried after 1 second, 2 more, 4 more.
        const triedAfter: number[] = [];
        for (let second = 0; second < 8; second++) {
          const before = calls;
          await visit(app, '/page').expect(200, 'page');
          await settled();
          if (calls > before) triedAfter.push(second);
          clock.advance(1);
        }
        expect(triedAfter).toEqual([0, 1, 3, 7]);
      } finally {
        jest.mocked(Math.random).mockRestore();
      }
    },
  );

  const UNSTORABLE: Record<string, [express.Handler, number, string]> = {
    'answers 404': [(_req, res) => void res.status(404).send('gone'), 404, 'gone'],
    'redirects for good': [(_req, res) => void res.redirect(301, '/new'), 301, ''],
    'asks who is there': [(_req, res) => void res.status(401).send('who?'), 401, 'who?'],
    'sets a cookie': [(_req, res) => void res.cookie('sid', '1').send('hello'), 200, 'hello'],
    'forbids storing': [
      (_req, res) => void res.set('Cache-Control', 'no-store').send('once'),
      200,
      'once',
    ],
  };

  test.each(Object.entries(UNSTORABLE))(
    'a handler that %s has the next visitor render, and no older page is sent (D7)',
    async (_how, [answer, status, body]) => {
      let calls = 0;
      let isBack = false;
      const app = makeApp();
      app.use(updateCache({ seconds: 10, staleWhileRevalidate: 200 }), fetchFromCache());
      app.get('/page', (req, res, next) => {
        calls += 1;
        if (calls === 1 || isBack) res.send(`page ${calls}`);
        else answer(req, res, next);
      });
      await visit(app, '/page').expect('page 1');
      clock.advance(10);
      // The one who has it found out gets what there is.
      await visit(app, '/page').expect(200, 'page 1').expect('Age', '10');
      await settled();
      expect(calls).toBe(2);
      for (const call of [3, 4]) {
        const answered = await visit(app, '/page').expect(status);
        if (status !== 301) expect(answered.text).toBe(body);
        expect(answered.headers).not.toHaveProperty('age');
        expect(calls).toBe(call);
      }
      isBack = true;
      await visit(app, '/page').expect(200, 'page 5');
      await visit(app, '/page').expect(200, 'page 5').expect('Age', '0');
      expect(calls).toBe(5);
    },
  );
});

describe('what a response says of it goes before the options:', () => {
  const GENEROUS: PageCacheOptions = { staleWhileRevalidate: 100, staleIfError: 100 };

  /** What a visitor gets `seconds` after the page of 10 seconds was made, and of how many runs. */
  async function later(seconds: number, cacheControl: string, options: PageCacheOptions) {
    const { app, origin } = pageApp(
      (res, call) => {
        res.setHeader('Cache-Control', cacheControl);
        if (call > 1) res.statusCode = 503;
        res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(seconds);
    const { text } = await visit(app, '/page');
    await settled();
    return { text, runs: origin.calls };
  }

  test.each([
    ['must-revalidate', 'max-age=10, must-revalidate'],
    ['proxy-revalidate', 'max-age=10, proxy-revalidate'],
    ['s-maxage, without a word on staleness', 's-maxage=10'],
    ['no-cache', 'max-age=10, no-cache'],
    ['must-revalidate, against its own leave', 'max-age=10, must-revalidate, stale-if-error=50'],
    ['must-revalidate, whatever its case', 'max-age=10, MUST-REVALIDATE, Stale-If-Error=50'],
    ['a leave of zero seconds', 'max-age=10, stale-while-revalidate=0, stale-if-error=0'],
  ])('%s forbids it (RFC 9111 §4.2.4)', async (_what, cacheControl) => {
    expect(await later(10, cacheControl, GENEROUS)).toEqual({ text: 'page 2', runs: 2 });
  });

  test.each([
    ['s-maxage, with leave', 's-maxage=10, stale-if-error=50'],
    ['max-age alone', 'max-age=10'],
    ['no field at all', ''],
  ])('%s allows it', async (_what, cacheControl) => {
    const options = { ...GENEROUS, seconds: 10, staleWhileRevalidate: 0 };
    expect(await later(10, cacheControl, options)).toEqual({ text: 'page 1', runs: 2 });
  });

  test('its own seconds count, and not those of the option', async () => {
    const short = 'max-age=10, stale-while-revalidate=5, stale-if-error=8';
    expect((await later(14, short, GENEROUS)).text).toBe('page 1');
    await invalidate('http://www.example.com/page');
    expect((await later(17, short, GENEROUS)).text).toBe('page 1');
    await invalidate('http://www.example.com/page');
    expect((await later(18, short, GENEROUS)).text).toBe('page 2');
  });

  test('by default nothing stale is sent', async () => {
    expect(await later(10, 'max-age=10', {})).toEqual({ text: 'page 2', runs: 2 });
  });
});

describe('a stale page in place of an error', () => {
  const site = (fail: Respond, options: PageCacheOptions = {}) =>
    pageApp(
      (res, call, req) => {
        if (call > 1) return fail(res, call, req);
        res.setHeader('ETag', '"v1"');
        res.setHeader('X-Of', 'the page');
        return res.end('page 1');
      },
      { options: { seconds: 10, staleIfError: 100, ...options } },
    );

  test('comes with its own head, and nothing of that of the error', async () => {
    const { app } = site((res) => {
      res.writeHead(503, 'Out Of Order', {
        'Retry-After': '60',
        'Content-Type': 'text/x-sorry',
        'Set-Cookie': 'sid=1',
        'Cache-Control': 'no-store',
      });
      res.write('sor');
      res.end('ry');
    });
    const first = await visit(app, '/page').expect('page 1');
    clock.advance(10);
    const { headers } = await visit(app, '/page').expect(200, 'page 1');
    const { connection: _of, ...fields } = first.headers;
    expect(headers).toMatchObject({ ...fields, age: '10' });
    for (const name of ['retry-after', 'set-cookie', 'content-type']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test('answers HEAD, conditions and those who ask for a part', async () => {
    const { app, origin } = site((res) => res.writeHead(500).end('sorry'));
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page', 'head').expect(200).expect('X-Of', 'the page').expect('Age', '10');
    await visit(app, '/page').set('If-None-Match', '"v1"').expect(304);
    await visit(app, '/page').set('If-None-Match', '"v0"').expect(200, 'page 1');
    await visit(app, '/page').set('Range', 'bytes=0-1').expect(206, 'pa');
    expect(origin.calls).toBe(2);
  });

  test.each([400, 401, 403, 404, 410, 429, 501, 302])(
    'is not sent for a %d, which is an answer',
    async (status) => {
      const { app } = site((res) => res.writeHead(status, { Location: '/x' }).end('answer'));
      await visit(app, '/page').expect('page 1');
      clock.advance(10);
      await visit(app, '/page').redirects(0).expect(status);
    },
  );

  test.each<[string, Respond]>([
    [
      'throws',
      () => {
        throw new Error('lost the database');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('lost the database'))],
    [
      'throws after it has set a head',
      (res) => {
        res.statusCode = 200;
        res.setHeader('Cache-Control', 'max-age=99');
        throw new Error('lost the database');
      },
    ],
  ])('is sent if the handler %s', async (_how, fail) => {
    const { app } = site(fail);
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 1').expect('Age', '10');
  });

  test('keeps nobody waiting: all who asked together get it, of one run', async () => {
    let release = (): void => {};
    const { app, origin } = site(async (res) => {
      await new Promise<void>((resolve) => (release = resolve));
      res.writeHead(500).end();
    });
    const server = await serveHttp1(app);
    try {
      const ask = () => server.get('/page', { Host: 'www.example.com' });
      await ask();
      clock.advance(10);
      const answers = Promise.all(Array.from({ length: 20 }, ask));
      await until(() => origin.calls === 2);
      await settled();
      release();
      for (const { status, body } of await answers) {
        expect([status, body.toString()]).toEqual([200, 'page 1']);
      }
      expect(origin.calls).toBe(2);
    } finally {
      await server.close();
    }
  });

  test('a run of an hour: no error is seen, and the handler tried once a step', async () => {
    const triedAt: number[] = [];
    const { app } = pageApp(
      (res, call) => {
        triedAt.push(clock.now());
        if (call > 1) res.statusCode = 500;
        res.end(`page ${call}`);
      },
      { options: { seconds: 10, staleIfError: 2 * 3600 } },
    );
    const server = await serveHttp1(app);
    try {
      const ask = () => server.get('/page', { Host: 'www.example.com' });
      await ask();
      clock.advance(10);
      for (let seconds = 0; seconds < 3600; seconds += 1.5) {
        for (const { status, body } of await Promise.all([ask(), ask()])) {
          if (status !== 200 || body.toString() !== 'page 1') {
            throw new Error(`${status} after ${seconds} seconds`);
          }
        }
        clock.advance(1.5);
      }
    } finally {
      await server.close();
    }
    const pauses = triedAt.slice(1).map((at, i, all) => (i === 0 ? 0 : at - all[i - 1]!));
    pauses.slice(1).forEach((pause, i) => {
      // Half the step at least, and the step at most, as far as the visits are apart.
      const step = Math.min(2 ** i, 60) * 1000;
      expect(pause).toBeGreaterThanOrEqual(step / 2);
      expect(pause).toBeLessThanOrEqual(step + 1500);
    });
    expect(triedAt.length).toBeGreaterThan(3600 / 61.5);
    // The steps are not all alike, lest all pages of a site come back at the same time.
    expect(new Set(pauses.slice(8)).size).toBeGreaterThan(3);
  });

  test('the back-off ends with the first success', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    try {
      let isBroken = false;
      const { app, origin } = pageApp(
        (res, call) => {
          if (isBroken) res.statusCode = 500;
          res.end(`page ${call}`);
        },
        { options: { seconds: 10, staleIfError: 1000 } },
      );
      await visit(app, '/page').expect('page 1');
      for (const round of [1, 2]) {
        isBroken = true;
        clock.advance(10);
        await visit(app, '/page').expect(200);
        clock.advance(0.9);
        await visit(app, '/page').expect(200);
        expect(origin.calls).toBe(2 * round);
        clock.advance(0.1);
        isBroken = false;
        await visit(app, '/page').expect(`page ${2 * round + 1}`);
      }
    } finally {
      jest.mocked(Math.random).mockRestore();
    }
  });
});

describe('softTimeout', () => {
  const options = { seconds: 10, staleIfError: 100, softTimeout: 0.05 };

  test('a page that takes too long is sent stale, and what comes of it is stored', async () => {
    let release = (): void => {};
    const { app, origin } = pageApp(
      async (res, call) => {
        if (call > 1) await new Promise<void>((resolve) => (release = resolve));
        res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 1').expect('Age', '10');
    await visit(app, '/page').expect(200, 'page 1').expect('Age', '10');
    expect(origin.calls).toBe(2);
    release();
    await settled();
    await visit(app, '/page').expect(200, 'page 2').expect('Age', '0');
  });

  test('one that does not is sent as it is made', async () => {
    const { app, origin } = pageApp(undefined, { options: { ...options, softTimeout: 20 } });
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('nor is an error waited for', async () => {
    const { app } = pageApp(
      (res, call) => {
        if (call > 1) res.statusCode = 500;
        res.end(`page ${call}`);
      },
      { options: { ...options, softTimeout: 20 } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 1');
  });

  test.each<[string, Respond, number]>([
    ['private', (res) => res.setHeader('Cache-Control', 'private'), 200],
    ['with a cookie', (res) => res.setHeader('Set-Cookie', 'sid=1'), 200],
    ['gone', (res) => (res.statusCode = 404), 404],
  ])('what has become %s is made for each visitor', async (_what, become, status) => {
    const { app } = pageApp(
      (res, call, req) => {
        if (call > 1) become(res, call, req);
        res.end(`page ${call}`);
      },
      { options: { ...options, softTimeout: 20 } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    // The second run is the one behind the scenes.
    await visit(app, '/page').expect(status, 'page 3');
  });

  test('does not hold for pages that may not be sent stale', async () => {
    const { app } = pageApp(
      async (res, call) => {
        res.setHeader('Cache-Control', 'max-age=10, must-revalidate');
        await new Promise((resolve) => setTimeout(resolve, 60));
        res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect('page 2');
  });
});

describe('a page that is made anew behind the scenes', () => {
  const options = { seconds: 10, staleWhileRevalidate: 20 };

  test('is validated, if it can be', async () => {
    const { app, origin } = pageApp(
      (res, call, req) => {
        res.setHeader('ETag', '"v1"');
        if (req.headers['if-none-match'] === '"v1"') res.writeHead(304).end();
        else res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect('page 1').expect('Age', '10');
    await settled();
    await visit(app, '/page').expect('page 1').expect('Age', '0');
    expect(origin.calls).toBe(2);
  });

  test('past its seconds is waited for', async () => {
    const { app } = pageApp(undefined, { options });
    await visit(app, '/page').expect('page 1');
    clock.advance(30);
    await visit(app, '/page').expect('page 2');
  });

  test('is sent for HEAD, too', async () => {
    const { app, origin } = pageApp(
      (res, call) => {
        res.setHeader('X-Call', call);
        res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page', 'head').expect('X-Call', '1').expect('Age', '10');
    await settled();
    await visit(app, '/page').expect('page 2').expect('Age', '0');
    expect(origin.calls).toBe(2);
  });

  test('and never is, is tried again when others would not wait for it any more', async () => {
    const { app, origin } = pageApp(
      (res, call) => (call === 2 ? undefined : res.end(`page ${call}`)),
      { options: { ...options, waitMs: 20 } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect('page 1');
    await settled();
    expect(origin.calls).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 25));
    await visit(app, '/page').expect('page 1');
    await settled();
    await visit(app, '/page').expect('page 3').expect('Age', '0');
  });

  test('and invalidated meanwhile is not stored', async () => {
    let release = (): void => {};
    const { app } = pageApp(
      async (res, call) => {
        if (call === 2) await new Promise<void>((resolve) => (release = resolve));
        res.end(`page ${call}`);
      },
      { options },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').expect('page 1');
    await settled();
    await invalidate('http://www.example.com/page');
    release();
    await settled();
    await visit(app, '/page').expect('page 3');
  });

  test.each(['WWW.Example.com', 'www.example.com:80', '[::1]:8080'])(
    'is that of the host %s, as it was written',
    async (host) => {
      const { app, origin } = pageApp((res, call, req) => res.end(`${req.headers.host} ${call}`), {
        options,
      });
      await visit(app, '/page').set('Host', host).expect(`${host} 1`);
      clock.advance(10);
      await visit(app, '/page').set('Host', host).expect(`${host} 1`);
      await settled();
      await visit(app, '/page').set('Host', host).expect(`${host} 2`);
      expect(origin.calls).toBe(2);
    },
  );

  test('is made in its own language', async () => {
    const app = express();
    let calls = 0;
    const language = (req: unknown) =>
      (req as express.Request).acceptsLanguages('de', 'en') || 'en';
    app.use(updateCache({ ...options, language }), fetchFromCache());
    app.get('/page', (req, res) => {
      calls += 1;
      res.vary('Accept-Language').send(`${language(req)} ${calls}`);
    });
    const inGerman = () => visit(app, '/page').set('Accept-Language', 'de');
    await inGerman().expect('de 1');
    clock.advance(10);
    await inGerman().expect('de 1');
    await settled();
    await inGerman().expect('de 2').expect('Age', '0');
  });

  test('where the backend takes its time, is made once', async () => {
    const { app, origin } = pageApp(undefined, { options: { ...options, cache: 'files' } });
    const age = async () => {
      const { headers, text } = await visit(app, '/page');
      return [text, headers.age];
    };
    await visit(app, '/page').expect('page 1');
    await written();
    clock.advance(10);
    expect(await Promise.all([age(), age(), age()])).toEqual(Array(3).fill(['page 1', '10']));
    await until(() => origin.calls === 2);
    await written();
    expect(await age()).toEqual(['page 2', '0']);
    expect(origin.calls).toBe(2);
    clock.advance(1000);
    await visit(app, '/page').expect('page 3');
  });

  test('over HTTP/2 is made in the same way', async () => {
    const { app, origin } = pageAppOnHttp(options);
    const site = await serveHttp2(app);
    try {
      const ask = async () => (await site.get('/page')).body.toString();
      expect(await ask()).toBe('page 1');
      await settled();
      clock.advance(10);
      expect(await ask()).toBe('page 1');
      await settled();
      expect(await ask()).toBe('page 2');
      expect(origin.calls).toBe(2);
    } finally {
      await site.close();
    }
  });

  test('without a server to send it through, is waited for', async () => {
    const { app, origin } = pageAppOnHttp(options);
    const site = await serveHttp1((req, res) => {
      Object.defineProperty(req.socket, 'server', { value: undefined });
      app(req, res);
    });
    try {
      const ask = async () => (await site.get('/page')).body.toString();
      expect(await ask()).toBe('page 1');
      clock.advance(10);
      expect(await ask()).toBe('page 2');
      expect(origin.calls).toBe(2);
    } finally {
      await site.close();
    }
  });
});

/** The pair and an origin, without a framework. */
function pageAppOnHttp(options: PageCacheOptions) {
  const origin = makeOrigin();
  const [update, fetch] = PAIR(options) as [Step, Step];
  const app: Listener = (req, res) => {
    update(req, res, () => fetch(req, res, () => origin.handle(req, res)));
  };
  return { app, origin };
}

test('what is shown to those inside alone is not rendered behind the scenes', async () => {
  const app = express().set('trust proxy', true);
  app.use(updateCache({ seconds: 10, staleWhileRevalidate: 20 }));
  app.use((req, res, next) => {
    res.locals.isInside = /^(::ffff:)?(127|10)\./.test(req.ip ?? '');
    next();
  });
  app.use(fetchFromCache());
  app.get('/page', (_req, res) => res.end(res.locals.isInside ? 'and the log' : 'page'));
  const visitor = () => visit(app, '/page').set('X-Forwarded-For', '203.0.113.9');
  await visitor().expect('page');
  await settled();
  clock.advance(10);
  await visitor().expect('page');
  await settled();
  await visitor().expect('page').expect('Age', '0');
});
