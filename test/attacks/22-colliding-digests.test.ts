import { type CacheSettings, caches } from 'cachewright';
import request from 'supertest';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

/** As if the attacker had found a collision of each digest with each other. */
jest.mock('node:crypto', () => ({
  ...jest.requireActual('node:crypto'),
  hash: () => 'd41d8cd98f00b204e9800998ecf8427e',
}));

const BACKENDS: Record<string, CacheSettings> = {
  'local memory': {},
  bytes: { backend: ByteCache, location: 'colliding-digests' },
};

describe.each(Object.entries(BACKENDS))('on %s', (_name, settings) => {
  freshCaches({ default: settings });
  const told: string[] = [];
  beforeEach(() => told.splice(0));
  const onError = (error: unknown) => told.push((error as Error).message);

  test('pages of other URLs and hosts are a miss and a report', async () => {
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

  test('variants for other headers, and for none, are a miss and a report', async () => {
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
    expect(told.length).toBeGreaterThan(0);
    if (caches.default instanceof ByteCache) expect(caches.default.entries.size).toBe(1);
  });
});
