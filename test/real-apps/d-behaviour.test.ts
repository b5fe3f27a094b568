// The app behaves as without the cache.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import v8 from 'node:v8';
import { MessageChannel } from 'node:worker_threads';
import { cacheApp } from 'cachewright';
import { lastLines } from '../support/raw-client';
import { settled } from '../support/settled';
import { putIn } from './packages';
import {
  closeLater,
  expectShared,
  type Handler,
  HELD,
  type Loose,
  MOUNTS,
  type Mount,
  openSite,
  row,
  type Site,
  serve,
  staticFiles,
  useful,
  useRealApps,
  Visitor,
} from './support';

const cookieSession: Loose = require('cookie-session');

useRealApps();

/** `before` is new. */
const WITHOUT_BEFORE: readonly Mount[] = ['pair', 'after', 'page', 'app'];

const same = () => 'the same for all';

describe('D1: properties with setters', () => {
  row(
    'D1 cookie-session: login and logout by assignment in a GET handler',
    { held: ['app'] },
    async (place) => {
      const site = await openSite({
        ...place,
        middleware: [cookieSession({ keys: ['k'] })],
        routes: {
          'GET /callback': (req, res) => {
            req.session = { user: 'ann' };
            res.redirect('/me');
          },
          'GET /logout': (req, res) => {
            req.session = null;
            res.redirect('/me');
          },
          'GET /me': (req) => req.session.user ?? 'nobody',
          'GET /same': same,
        },
      });
      const ann = new Visitor(site);
      for (let times = 0; times < 2; times += 1) {
        expect((await ann.get('/callback')).headers['set-cookie']).toBeDefined();
        for (let visits = 0; visits < 2; visits += 1) expect(await ann.text('/me')).toBe('ann');
        expect(await new Visitor(site).text('/me')).toBe('nobody');
        await ann.get('/logout');
        for (let visits = 0; visits < 2; visits += 1) expect(await ann.text('/me')).toBe('nobody');
      }
      if (place.mount !== 'app') await expectShared(site, [ann, new Visitor(site)]);
    },
  );

  for (const name of ['session', 'user', 'auth', 'theme']) {
    const held: readonly Mount[] = name === 'theme' ? WITHOUT_BEFORE : ['app'];
    row(
      `D1 the setter of req.${name} runs, with the request as its this`,
      { held },
      async (place) => {
        const kept: unknown[] = [];
        const site = await openSite({
          ...place,
          middleware: [
            putIn((req) => {
              let value: unknown = 'first';
              Object.defineProperty(req, name, {
                get: () => value,
                set(this: Loose, next: unknown) {
                  value = `${next} for ${this.url}`;
                  kept.push(value);
                },
                configurable: true,
                enumerable: true,
              });
            }),
          ],
          routes: {
            'GET /set': (req) => {
              req[name] = 'dark';
              return req[name];
            },
            'GET /same': same,
          },
        });
        expect(await new Visitor(site).text('/set')).toBe('dark for /set');
        expect(kept).toEqual(['dark for /set']);
        await expectShared(site, [new Visitor(site), new Visitor(site)]);
      },
    );
  }

  row(
    'D1 what the handler writes is seen outside, after the response',
    { held: WITHOUT_BEFORE },
    async (place) => {
      const seen: unknown[] = [];
      const site = await openSite({
        ...place,
        middleware: [
          (req, res, next) => {
            req.log = { user: 'nobody' };
            res.on('finish', () => seen.push([req.log.user, req.added, res.locals.added]));
            next();
          },
        ],
        routes: {
          'GET /write': (req, res) => {
            req.log.user = 'ann';
            req.added = 1;
            res.locals.added = 2;
            delete req.nothing;
            return 'written';
          },
          'GET /same': same,
        },
      });
      await new Visitor(site).get('/write');
      await settled();
      expect(seen).toEqual([['ann', 1, 2]]);
      await expectShared(site, [new Visitor(site), new Visitor(site)]);
    },
  );
});

describe('D2: headers may be cloned', () => {
  const WAYS: Record<string, Handler> = {
    structuredClone: (req) => structuredClone(req.headers).host,
    serialize: (req) => v8.deserialize(v8.serialize(req.headers)).host,
    postMessage: (req) =>
      new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port2.on('message', ({ headers }) => {
          port1.close();
          resolve(headers.host);
        });
        port1.postMessage({ headers: req.headers });
      }),
    'JSON.stringify': (req) => JSON.parse(JSON.stringify(req.headers)).host,
    inspect: (req) => /host: '([^']+)'/.exec(inspect(req.headers))?.[1],
    'a clone of locals': (_req, res) => structuredClone(res.locals).host,
    'a clone of an object on req': (req) => structuredClone(req.context).nested.host,
  };
  for (const [name, way] of Object.entries(WAYS)) {
    const held = /JSON|inspect/.test(name) ? MOUNTS : /clone of/.test(name) ? WITHOUT_BEFORE : [];
    row(`D2 ${name}`, { held }, async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          putIn((req, res) => {
            res.locals.host = req.headers.host;
            req.context = { nested: { host: req.headers.host } };
          }),
        ],
        routes: { 'GET /': way },
      });
      for (let visits = 0; visits < 2; visits += 1) {
        expect(await new Visitor(site).text('/')).toBe('www.example.com');
      }
      useful(() => expect(site.renders['/']).toBe(1));
    });
  }
});

describe('D3: what is not there', () => {
  const QUESTIONS: Record<string, (req: Loose, res: Loose) => unknown> = {
    "'session' in req": (req) => 'session' in req,
    "'user' in req": (req) => 'user' in req,
    "'user' in res.locals": (_req, res) => 'user' in res.locals,
    "'x-tenant' in req.headers": (req) => 'x-tenant' in req.headers,
    'Object.keys(res.locals)': (_req, res) => Object.keys(res.locals).length > 0,
    'req.session': (req) => req.session !== undefined,
    'Object.hasOwn(req, "user")': (req) => Object.hasOwn(req, 'user'),
    'Reflect.has(req, "account")': (req) => Reflect.has(req, 'account'),
    'Object.keys(req)': (req) => Object.keys(req).includes('user'),
  };
  for (const [name, ask] of Object.entries(QUESTIONS)) {
    const held = /session|'user' in req|"user"/.test(name) ? [] : MOUNTS;
    row(`D3 ${name} is false`, { held }, async (place) => {
      const site = await openSite({
        ...place,
        routes: { 'GET /same': (req, res) => String(ask(req, res)) },
      });
      for (const cookies of [{}, { _ga: '1' }] as Record<string, string>[]) {
        expect(await new Visitor(site, { cookies }).text('/same')).toBe('false');
      }
      useful(() => expect(site.renders['/same']).toBe(1));
    });
  }
});

describe('D4: ranges of what is not known yet', () => {
  row('D4 a video, a download that goes on, and part of a small file', {}, async (place) => {
    const folder = mkdtempSync(join(tmpdir(), 'cachewright-files-'));
    closeLater(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'video.mp4'), Buffer.alloc(3e6, 'v'));
    writeFileSync(join(folder, 'clip.mp4'), Buffer.alloc(2e5, 'c'));
    let runs = 0;
    const files = staticFiles(place.framework, folder, { maxAge: '1h' });
    const site = await openSite({
      ...place,
      last: [
        (req, res, next) => {
          runs += 1;
          return files(req, res, next);
        },
      ],
    });
    for (const [path, range, length] of [
      ['/video.mp4', 'bytes=0-1', 2],
      ['/video.mp4?resume', 'bytes=1000000-', 2e6],
      ['/clip.mp4', 'bytes=100-199', 100],
      ['/clip.mp4?end', 'bytes=-5', 5],
    ] as const) {
      const part = await new Visitor(site).get(path, { Range: range });
      expect({ status: part.status, length: part.body.length }).toEqual({ status: 206, length });
    }
    await new Visitor(site).get('/clip.mp4');
    const before = runs;
    const part = await new Visitor(site).get('/clip.mp4', { Range: 'bytes=0-9' });
    expect({ status: part.status, length: part.body.length }).toEqual({ status: 206, length: 10 });
    useful(() => expect(runs).toBe(before));
  });
});

/** What comes back for a target that no client library would send as it is. */
function exchange({ port }: Site, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
    socket.write(lastLines(`GET ${target} HTTP/1.1`, 'Host: www.example.com'));
  });
}

row('D8 /shop? and /shop are kept apart', {}, async (place) => {
  const shop: Handler = (req, res) => {
    if (!req.originalUrl.endsWith('?')) return `The shop at ${req.originalUrl}`;
    res.set('Cache-Control', 'public, max-age=86400').redirect(301, req.path);
    return undefined;
  };
  const site = await openSite({ ...place, routes: { 'GET /shop': shop, 'GET /other': shop } });
  const get = (path: string) => exchange(site, path);
  for (const [path, first, second] of [
    ['/shop', '/shop?', '/shop'],
    ['/other', '/other', '/other?'],
  ] as const) {
    for (const each of [first, second, first, second]) {
      const answer = await get(each);
      const isShop = answer.startsWith('HTTP/1.1 200') && answer.endsWith(`The shop at ${path}`);
      // For the empty query, the app redirects, or it was shown the URL without it.
      if (each.endsWith('?')) expect(isShop || answer.startsWith('HTTP/1.1 301')).toBe(true);
      else expect({ isShop, answer }).toMatchObject({ isShop: true });
      await settled();
    }
  }
  const { '/shop': before } = site.renders;
  await get('/shop');
  useful(() => expect(site.renders['/shop']).toBe(before));
});

row('D9 long polls that set no-store before they wait are both entered', {}, async (place) => {
  let waiting: (() => void)[] = [];
  const site = await openSite({
    ...place,
    routes: {
      'GET /poll': async (_req, res) => {
        res.set('Cache-Control', 'no-store');
        await new Promise<void>((resolve) => waiting.push(resolve));
        return 'news';
      },
      'GET /same': same,
    },
  });
  const polls = [1, 2, 3].map(() => new Visitor(site).get('/poll'));
  const startedAt = performance.now();
  while (waiting.length < 3 && performance.now() - startedAt < 3000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const entered = waiting.length;
  const ms = performance.now() - startedAt;
  while (waiting.length > 0 || (site.renders['/poll'] ?? 0) < 3) {
    for (const go of waiting) go();
    waiting = [];
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (const { text } of await Promise.all(polls)) expect(text).toBe('news');
  expect(entered).toBe(3);
  expect(ms).toBeLessThan(1000);
  await expectShared(site, [new Visitor(site), new Visitor(site)]);
});

row('D10 errors that are sent with 200 are not stored by storeIf', {}, async (place) => {
  let isDown = true;
  const asked: unknown[] = [];
  const site = await openSite({
    ...place,
    options: {
      storeIf: (req: Loose, res: Loose, body: Loose) => {
        asked.push([req.url, res.statusCode, Buffer.isBuffer(body) || typeof body === 'string']);
        return !String(body).includes('"errors"');
      },
    },
    routes: {
      'GET /graphql': (_req, res) => void res.json(isDown ? { errors: ['down'] } : { data: 1 }),
      'GET /stream': async (_req, res) => {
        res.write('{"er');
        await new Promise((resolve) => setTimeout(resolve, 2));
        res.end(`rors":${Math.random()}}`);
      },
    },
  });
  for (let visits = 0; visits < 2; visits += 1) {
    expect(await new Visitor(site).text('/graphql')).toBe('{"errors":["down"]}');
  }
  isDown = false;
  for (let visits = 0; visits < 3; visits += 1) {
    expect(await new Visitor(site).text('/graphql')).toBe('{"data":1}');
  }
  useful(() => expect(site.renders['/graphql']).toBe(3));
  useful(() => expect(asked).toEqual(Array(3).fill(['/graphql', 200, true])));
  const streams = [
    await new Visitor(site).text('/stream'),
    await new Visitor(site).text('/stream'),
  ];
  expect(streams[0]).not.toBe(streams[1]);
});

row('D10 skip and storeIf that throw lose nothing but the cache', {}, async (place) => {
  const site = await openSite({
    ...place,
    options: {
      storeIf: () => {
        throw new Error('a fault of the site');
      },
    },
    routes: { 'GET /same': same },
  });
  for (let visits = 0; visits < 2; visits += 1) {
    const answer = await new Visitor(site).get('/same');
    expect([answer.status, answer.text]).toEqual([200, 'the same for all']);
  }
  useful(() => expect(site.renders['/same']).toBe(2));
});

describe('D2: res.locals in every shape', () => {
  const SHAPES: Record<string, (res: Loose) => void> = {
    frozen: (res) => Object.freeze(res.locals),
    sealed: (res) => Object.seal(res.locals),
    'closed to new entries': (res) => Object.preventExtensions(res.locals),
    'with a getter that throws': (res) =>
      Object.defineProperty(res.locals, 'broken', {
        configurable: true,
        enumerable: true,
        get() {
          throw new Error('nobody has asked for it');
        },
      }),
    'with a fixed entry': (res) =>
      Object.defineProperty(res.locals, 'fixed', { enumerable: true, value: 1 }),
    'a Proxy': (res) => {
      res.locals = new Proxy({ ...res.locals }, {});
    },
  };
  for (const [name, shape] of Object.entries(SHAPES)) {
    row(`D2 res.locals ${name}`, { mounts: WITHOUT_BEFORE, held: ['app'] }, async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          putIn((req, res) => {
            res.locals.user = req.headers['x-user'];
            shape(res);
          }),
        ],
        routes: {
          'GET /me': (_req, res) => `Hello ${res.locals.user}`,
          'GET /frozen': (_req, res) => {
            const { user } = res.locals;
            Object.freeze(res.locals);
            return `Hello ${user}`;
          },
        },
      });
      for (const path of ['/me', '/frozen']) {
        for (const user of ['ann', 'bob', 'ann']) {
          const visitor = new Visitor(site, { headers: { 'X-User': user } });
          expect(await visitor.text(path)).toBe(`Hello ${user}`);
        }
      }
    });
  }

  row(
    'D2 an object that all requests have for res.locals',
    { held: WITHOUT_BEFORE },
    async (place) => {
      const shared: Loose = { title: 'The shop' };
      const site = await openSite({
        ...place,
        middleware: [
          (_req, res, next) => {
            res.locals = shared;
            next();
          },
        ],
        routes: {
          'GET /page': async (req, res) => {
            const before = res.locals.title;
            await new Promise((resolve) => setTimeout(resolve, Number(req.query.ms)));
            return `${before} ${res.locals.title}`;
          },
        },
      });
      const visits = [20, 5, 40, 10].map((ms) => new Visitor(site).text(`/page?ms=${ms}`));
      for (const text of await Promise.all(visits)) expect(text).toBe('The shop The shop');
      expect(Object.getOwnPropertyDescriptors(shared)).toEqual({
        title: { value: 'The shop', configurable: true, enumerable: true, writable: true },
      });
      expect(Object.getPrototypeOf(shared)).toBe(Object.prototype);
    },
  );
});

row(
  'D2 one symbol on both the request and the response',
  { held: WITHOUT_BEFORE },
  async (place) => {
    const key = Symbol('context');
    const site = await openSite({
      ...place,
      middleware: [
        (req, res, next) => {
          req[key] = 'of the request';
          res[key] = 'of the response';
          next();
        },
      ],
      routes: { 'GET /': (req, res) => `${req[key]}, ${res[key]}` },
    });
    expect(await new Visitor(site).text('/')).toBe('of the request, of the response');
  },
);

test(`D2 requests and responses stay instances of the classes of Node${HELD}`, async () => {
  const handler: Handler = (req, res) =>
    void res.end(`${req instanceof IncomingMessage} ${res instanceof ServerResponse}`);
  const stranger = putIn(() => {});
  for (const options of [{}, { before: [stranger] }]) {
    const site = await serve(cacheApp(handler, options));
    expect(await new Visitor(site).text('/')).toBe('true true');
  }
});

row(
  'D2 a getter whose promises are rejected',
  { mounts: WITHOUT_BEFORE, held: WITHOUT_BEFORE },
  async (place) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    closeLater(() => process.off('unhandledRejection', note));
    const site = await openSite({
      ...place,
      middleware: [
        putIn((req) =>
          Object.defineProperty(req, 'account', {
            configurable: true,
            get: () => Promise.reject(new Error('nobody has asked for it')),
          }),
        ),
      ],
      routes: { 'GET /same': same },
    });
    for (let visits = 0; visits < 2; visits += 1) await new Visitor(site).get('/same');
    expect(unhandled).toEqual([]);
  },
);
