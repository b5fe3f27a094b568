import { type CacheSettings, caches, fetchFromCache, updateCache } from 'cachewright';
import request from 'supertest';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { STACKS } from '../support/stacks';
import { visit } from '../support/visit';

const BACKENDS: Record<string, CacheSettings> = {
  'local memory': {},
  bytes: { backend: ByteCache, location: 'hostile-keys' },
};
const HOSTILE = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then'];

/** Everything an attacker could hope to have changed. */
const prototypes = () =>
  [Object, Array, Map, Promise, String, Buffer, Uint8Array].map(({ prototype }) =>
    Reflect.ownKeys(prototype),
  );

describe.each(Object.entries(BACKENDS))('on %s', (_name, settings) => {
  freshCaches({ default: settings });
  const before = prototypes();
  afterEach(() => {
    expect(prototypes()).toEqual(before);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each(HOSTILE)('%s as path, parameter or host is a page like any other', async (name) => {
    const { app, origin } = pageApp((res, _call, req) => {
      res.end(`${req.headers.host} ${req.url}`);
    });
    const targets = [`/${name}`, `/?${name}=polluted`, `/?${name}[polluted]=1`, `/?a=${name}`];
    for (const _visit of [1, 2]) {
      for (const target of targets) {
        await visit(app, target).expect(`www.example.com ${target}`);
        await settled();
      }
      await request(app).get('/').set('Host', name).expect(`${name} /`);
      await settled();
    }
    expect(origin.calls).toBe(targets.length + 1);
  });

  test.each(HOSTILE)('%s as the header a page varies on', async (name) => {
    const { app } = pageApp((res, call) => {
      res.setHeader('Vary', name);
      res.end(`page ${call}`);
    });
    const lower = name.toLowerCase();
    await visit(app, '/page').expect('page 1');
    await settled();
    await visit(app, '/page').expect('page 1');
    const { text } = await visit(app, '/page').set(lower, 'polluted');
    // Node itself loses a header named __proto__, for the handler as for the cache.
    expect(text).toBe(lower === '__proto__' ? 'page 1' : 'page 2');
  });

  test.each(HOSTILE)('%s as the header a page sends', async (name) => {
    const { app, origin } = pageApp((res) => {
      res.setHeader(name, 'polluted');
      res.end('page');
    });
    for (const _visit of [1, 2]) {
      const response = await visit(app, '/page').expect('page');
      const { rawHeaders } = (response as unknown as { res: { rawHeaders: string[] } }).res;
      expect(rawHeaders[rawHeaders.indexOf(name) + 1]).toBe('polluted');
      await settled();
    }
    expect(origin.calls).toBe(1);
  });

  test.each(['__proto__', 'constructor', 'toString', 'then', 'all'])(
    'the alias %s is none, whatever every object has',
    async (alias) => {
      const told: unknown[] = [];
      const { app } = pageApp(undefined, {
        options: { cache: alias, onError: (error) => told.push(error) },
      });
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
      expect(told).toHaveLength(1);
    },
  );
});

describe.each(Object.entries(BACKENDS))('digests that all collide, on %s', (_name, settings) => {
  freshCaches({ default: { ...settings, keyFunction: () => 'the-one-key' } as CacheSettings });
  const told: string[] = [];
  beforeEach(() => told.splice(0));
  const onError = (error: unknown) => told.push((error as Error).message);

  test('are a miss between two URLs and two hosts, and reported', async () => {
    const { app } = pageApp((res, _call, req) => res.end(`${req.headers.host} ${req.url}`), {
      options: { onError },
    });
    for (const [host, path] of [
      ['a.example', '/one'],
      ['a.example', '/other'],
      ['b.example', '/other'],
    ] as const) {
      for (const _visit of [1, 2]) {
        await request(app).get(path).set('Host', host).expect(`${host} ${path}`);
        await settled();
      }
    }
    expect(told).toEqual([
      'The entry is that of http://a.example/one.',
      'The entry is that of http://a.example/other.',
    ]);
  });

  test('are a miss between HEAD and GET', async () => {
    const { app } = pageApp((res, call) => res.end(`page ${call}`), { options: { onError } });
    await visit(app, '/page', 'head').expect(200);
    await settled();
    await visit(app, '/page').expect(200, 'page 2');
  });

  test('are a miss between two variants', async () => {
    const { app } = pageApp(
      (res, _call, req) => {
        res.setHeader('Vary', 'X-A');
        res.end(`for ${req.headers['x-a']}`);
      },
      { options: { onError } },
    );
    for (const _visit of [1, 2]) {
      for (const a of ['1', '2']) {
        await visit(app, '/page').set('X-A', a).expect(`for ${a}`);
        await settled();
      }
      await visit(app, '/page').expect('for undefined');
      await settled();
    }
  });

  test('are a miss between two prefixes and two languages', async () => {
    const origin = makeOrigin((res, _call, req) => res.end(`for ${req.headers['x-site']}`));
    const build = STACKS['Express 5']!;
    const apps = [{ keyPrefix: 'a' }, { keyPrefix: 'b' }, { language: () => 'de' }].map((options) =>
      build([updateCache({ ...options, onError }), fetchFromCache(), origin.handle]),
    );
    for (const _visit of [1, 2]) {
      for (const [i, app] of apps.entries()) {
        await visit(app, '/page').set('X-Site', String(i)).expect(`for ${i}`);
        await settled();
      }
    }
    expect(origin.calls).toBe(6);
    expect(caches.default.makeKey('a')).toBe(caches.default.makeKey('b'));
  });
});
