import { fetchFromCache, getCacheKey, learnCacheKey, updateCache } from 'cachewright';
import fc from 'fast-check';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { bodiesIn, lastLines, type RawSite, serveRaw } from '../support/raw-client';
import { settled } from '../support/settled';

freshCaches();

/** A page that shows the target it was asked by. */
const echoApp = () =>
  pageApp((res, _call, req) => {
    const body = `${req.method} ${req.headers.host} ${req.url}`;
    res.setHeader('Content-Length', Buffer.byteLength(body));
    res.end(body);
  });

test('the border between host and path cannot be moved', async () => {
  const { app } = echoApp();
  for (const _visit of [1, 2]) {
    for (const [host, path] of [
      ['www.example.com:80', '/'],
      ['www.example.com', '//www.example.com/'],
      ['www.example.com', '/?http://www.example.com/'],
    ] as const) {
      await request(app).get(path).set('Host', host).expect(`GET ${host} ${path}`);
    }
  }
});

describe('sent as bytes', () => {
  let site: RawSite;
  let app: ReturnType<typeof echoApp>;
  beforeEach(async () => {
    app = echoApp();
    site = await serveRaw(app.app);
  });
  afterEach(() => site.close());

  const ask = async (target: string) => {
    const answer = await site.exchange(
      lastLines(`GET ${target} HTTP/1.1`, 'Host: www.example.com'),
    );
    await settled();
    return answer;
  };

  test.each([
    ['an escaped slash', '/a/b', '/a%2Fb'],
    ['an escaped question mark', '/a?b', '/a%3Fb'],
    ['an escaped letter', '/a', '/%61'],
    ['other hex digits', '/a%2f', '/a%2F'],
    ['quotes', '/a?q="x"', '/a?q=%22x%22'],
    ['a backslash', '/a\\b', '/a/b'],
    ['a semicolon', '/a;b', '/a&b'],
    ['a semicolon in the query', '/a?x=1;y=2', '/a?x=1&y=2'],
    ['doubled slashes', '/a//b', '/a/b'],
    ['dots', '/a/./b', '/a/b'],
    ["the key's own words", '/a.GET.d41d8cd98f00b204e9800998ecf8427e', '/a'],
    ["the key's own prefix", '/views.decorators.cache.cache_page..GET.', '/'],
    ['digits that look like a length', '/6:cookie1:x', '/'],
  ])('%s does not make two pages one: %s and %s', async (_what, one, other) => {
    for (const _visit of [1, 2]) {
      for (const target of [one, other]) {
        expect(bodiesIn(await ask(target), ['GET'])).toEqual([`GET www.example.com ${target}`]);
      }
    }
    expect(app.origin.calls).toBe(2);
  });

  test.each(['/page#x', '/page?#x', '/#/page', '/page#?a=1'])(
    'the fragment in %s is shown to its sender alone',
    async (target) => {
      for (const _try of [1, 2]) {
        expect(bodiesIn(await ask(target), ['GET'])).toEqual([`GET www.example.com ${target}`]);
      }
      expect(app.origin.calls).toBe(2);
      for (const clean of ['/page', '/', '/page?a=1']) {
        expect(bodiesIn(await ask(clean), ['GET'])).toEqual([`GET www.example.com ${clean}`]);
      }
    },
  );
});

test.each(['/page\xe9', '/page\x7f', '/page\x01', '/page\t', '/pa\0ge', '/pa ge', '/page#x'])(
  'a target with what belongs in none, as %j, is not cached where a server lets it through',
  async (target) => {
    const pair = [updateCache(), fetchFromCache()] as const;
    let calls = 0;
    const site = await serveRaw((req, res) => {
      req.url = target;
      pair[0](req, res, () => pair[1](req, res, () => res.end(`page ${++calls}`)));
    });
    try {
      for (const call of [1, 2]) {
        const answer = await site.exchange(lastLines('GET / HTTP/1.1', 'Host: www.example.com'));
        expect(bodiesIn(answer, ['GET'])).toEqual([`page ${call}`]);
        await settled();
      }
    } finally {
      await site.close();
    }
  },
);

test('no two targets, hosts, methods or prefixes come to one key', async () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '/', '?', '%', '2', 'F') });
  const page = fc.record({
    host: fc.constantFrom('a', 'a.b', 'a:2', 'b', 'A'),
    path: part.map((text) => `/${text}`).filter((text) => !/^[^?]*\?$/.test(text)),
    method: fc.constantFrom('GET', 'HEAD'),
    keyPrefix: fc.constantFrom('', 'a', 'b'),
  });
  const keyOf = ({ host, path, method, keyPrefix }: { [name: string]: string }) => {
    const req = { url: path, method, headers: { host }, socket: {} };
    return learnCacheKey(req as never, { getHeader: () => undefined } as never, { keyPrefix });
  };
  // Apart in a few of their parts only, as any two at random are in nearly all.
  const parts = fc.subarray(['host', 'path', 'method', 'keyPrefix'] as const, { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(page, page, parts, async (one, another, changed) => {
      const other = { ...one, ...Object.fromEntries(changed.map((name) => [name, another[name]])) };
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      expect((await keyOf(one)) === (await keyOf(other))).toBe(isSame);
    }),
    { numRuns: 1000 },
  );
});

test('a language that the client chooses cannot end the key as another would', async () => {
  const options = {
    language: (req: unknown) => (req as { language: string }).language,
    timeZone: (req: unknown) => (req as { zone: string }).zone,
  };
  const keyOf = async (language: string, zone: string) => {
    const req = { url: '/', headers: { host: 'h' }, socket: {}, language, zone } as never;
    await learnCacheKey(req, { getHeader: () => undefined } as never, options);
    return getCacheKey(req, options);
  };
  expect(await keyOf('en.UTC', 'x')).not.toBe(await keyOf('en', 'UTC.x'));
  expect(await keyOf('en', '')).not.toBe(await keyOf('', 'en'));
  expect(await keyOf('en%2e%', '')).not.toBe(await keyOf('en.', ''));
});
