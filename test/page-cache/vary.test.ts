import type { IncomingMessage, ServerResponse } from 'node:http';
import { caches, learnCacheKey } from 'cachewright';
import compression from 'compression';
import fc from 'fast-check';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import type { Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({ bytes: { backend: ByteCache, location: 'vary' } });
const clock = stopClock();

const bytes = () => caches.bytes as ByteCache;

const varyingOn =
  (vary: string | string[]): Respond =>
  (res, call) => {
    res.setHeader('Vary', vary);
    res.end(`page ${call}`);
  };

describe('a page that varies', () => {
  test('has one entry per value of the header', async () => {
    const { app, origin } = pageApp(varyingOn('X-Lang'));
    for (const _visit of [1, 2]) {
      await visit(app, '/page').set('X-Lang', 'de').expect('page 1');
      await visit(app, '/page').set('X-Lang', 'en').expect('page 2');
      await visit(app, '/page').expect('page 3');
    }
    expect(origin.calls).toBe(3);
  });

  test('is found by any spelling and order of the names (PAGE-38)', async () => {
    const spellings = ['X-A, X-B', 'x-a, X-B, X-A', 'X-B ,  x-A', 'x-b,x-a'];
    const { app, origin } = pageApp((res, call, req) => {
      res.setHeader('Vary', spellings[Number(req.headers['x-spelling'])]!);
      res.end(`page ${call}`);
    });
    const from = (spelling: number, b: string) =>
      visit(app, '/page').set({ 'X-A': '1', 'X-B': b, 'X-Spelling': String(spelling) });
    await from(0, '0').expect('page 1');
    for (const [i, b] of ['1', '2', '3'].entries()) await from(i + 1, b).expect(`page ${i + 2}`);
    // Another spelling made no other list, or the first variant would be lost.
    await from(0, '0').expect('page 1');
    expect(origin.calls).toBe(4);
  });

  test('compares values as they were sent (PAGE-38)', async () => {
    const { app, origin } = pageApp(varyingOn('X-List'));
    for (const value of ['a, b', 'a,b', 'b, a', 'A, B']) {
      await visit(app, '/page').set('X-List', value);
    }
    expect(origin.calls).toBe(4);
  });

  test.each([
    ['Accept-Encoding', ['gzip, br', 'gzip,br', 'br , gzip', 'GZIP, BR'], 1],
    ['Accept-Language', ['de, en;q=0.5', 'DE,en;q=0.5', 'de , EN ; q=0.5'], 1],
    ['Accept-Language', ['de, en', 'en, de'], 2],
  ])('on %s levels what surely means the same in %j', async (name, values, calls) => {
    const { app, origin } = pageApp(varyingOn(name));
    for (const value of values) await visit(app, '/page').set(name, value);
    expect(origin.calls).toBe(calls);
  });

  test('levels lists of all kinds, and the order of languages, if asked to', async () => {
    const options = { options: { key: { normalize: true } } };
    const lists = pageApp(varyingOn('X-List'), options);
    for (const value of ['a, b', 'a,b']) await visit(lists.app, '/page').set('X-List', value);
    expect(lists.origin.calls).toBe(1);
    const languages = pageApp(varyingOn('Accept-Language'), options);
    for (const value of ['de, en', 'en, de']) {
      await visit(languages.app, '/page').set('Accept-Language', value);
    }
    expect(languages.origin.calls).toBe(1);
  });

  test('on Cookie keys on the whole header (PAGE-39)', async () => {
    const { app, origin } = pageApp(varyingOn('Cookie'));
    for (const _visit of [1, 2]) {
      for (const cookie of ['a=1', 'a=1; b=2', 'b=2; a=1', 'a=1;b=2']) {
        await visit(app, '/page').set('Cookie', cookie);
      }
      await visit(app, '/page');
    }
    expect(origin.calls).toBe(5);
  });

  test('tells an absent header from an empty one (PAGE-40)', async () => {
    const { app } = pageApp(varyingOn('X-A'));
    for (const _visit of [1, 2]) {
      await visit(app, '/page').expect('page 1');
      await visit(app, '/page').set('X-A', '').expect('page 2');
    }
    await visit(app, '/page').set('X-A', 'undefined').expect('page 3');
  });

  test.each([
    [
      { 'X-A': 'ab', 'X-B': 'c' },
      { 'X-A': 'a', 'X-B': 'bc' },
    ],
    [
      { 'X-A': '1', 'X-B': '23' },
      { 'X-A': '12', 'X-B': '3' },
    ],
    [{ 'X-A': 'v' }, { 'X-B': 'v' }],
    [
      { 'X-A': '', 'X-B': 'v' },
      { 'X-A': 'v', 'X-B': '' },
    ],
    [
      { 'X-A': '13:x-b1:c', 'X-B': 'c' },
      { 'X-A': '1', 'X-B': '3:x-b1:cc' },
    ],
  ])('does not run values together: %j is not %j (PAGE-41)', async (one, other) => {
    const { app } = pageApp(varyingOn('X-A, X-B'));
    for (const _visit of [1, 2]) {
      await visit(app, '/page')
        .set(one as Record<string, string>)
        .expect('page 1');
      await visit(app, '/page')
        .set(other as Record<string, string>)
        .expect('page 2');
    }
  });

  test('has one key per set of values, whatever they are (PAGE-41)', async () => {
    const headers = fc.dictionary(
      fc.constantFrom('x-a', 'x-b', 'x-ab', 'x-c'),
      fc.string({ unit: fc.constantFrom('0', '1', ':', ',', 'x', '-', 'a', 'b'), maxLength: 6 }),
    );
    const keyOf = (sent: Record<string, string>) =>
      learnCacheKey(
        { url: '/', headers: { ...sent, host: 'h' }, socket: {} } as unknown as IncomingMessage,
        { getHeader: () => 'X-A, X-B, X-Ab, X-C' } as unknown as ServerResponse,
      );
    await fc.assert(
      fc.asyncProperty(headers, headers, async (one, other) => {
        const isSame =
          JSON.stringify(Object.entries(one).sort()) ===
          JSON.stringify(Object.entries(other).sort());
        expect((await keyOf(one)) === (await keyOf(other))).toBe(isSame);
      }),
      { numRuns: 2000 },
    );
  });

  test('on more from now on keeps the older variants, for who sends no more (PAGE-42)', async () => {
    let vary = 'X-A';
    const { app, origin } = pageApp((res, call) => {
      res.setHeader('Vary', vary);
      res.end(`page ${call}`);
    });
    const from = (a: string, b?: string) =>
      visit(app, '/page').set(b === undefined ? { 'X-A': a } : { 'X-A': a, 'X-B': b });
    await from('1', '1').expect('page 1');
    await from('0').expect('page 2');
    vary = 'X-A, X-B';
    await from('2', '1').expect('page 3');
    for (const _visit of [1, 2]) {
      // What was stored while X-B did not count answers who does not send it.
      await from('1').expect('page 1');
      await from('0').expect('page 2');
      await from('1', '1').expect('page 4');
      await from('1', '2').expect('page 5');
      await from('2', '1').expect('page 3');
    }
    expect(origin.calls).toBe(5);
  });

  test('on something else in turns varies on both, and keeps all variants (PAGE-42)', async () => {
    const { app, origin } = pageApp((res, call, req) => {
      res.setHeader('Vary', req.headers['x-a'] === undefined ? 'X-B' : 'X-A');
      res.end(`page ${call}`);
    });
    const a = (value: string) => visit(app, '/page').set('X-A', value);
    const b = (value: string) => visit(app, '/page').set('X-B', value);
    await a('1').expect('page 1');
    await b('1').expect('page 2');
    for (const _visit of [1, 2]) {
      await a('2').expect('page 3');
      await b('2').expect('page 4');
      await a('1').expect('page 1');
      await b('1').expect('page 2');
    }
    expect(origin.calls).toBe(4);
  });

  test('no more still has a variant for each that it varied on once (PAGE-42)', async () => {
    let vary: string[] = ['X-A'];
    const { app, origin } = pageApp((res, call) => {
      if (vary.length > 0) res.setHeader('Vary', vary);
      res.end(`page ${call}`);
    });
    const from = (a: string) => visit(app, '/page').set('X-A', a);
    await from('1').expect('page 1');
    vary = [];
    for (const _visit of [1, 2]) {
      await from('2').expect('page 2');
      await from('1').expect('page 1');
      await visit(app, '/page').expect('page 3');
    }
    expect(origin.calls).toBe(3);
  });

  test('keeps the answer for requests without the header beside the list', async () => {
    const { app, origin } = pageApp(varyingOn('X-A'));
    await visit(app, '/page').expect('page 1');
    // The list has to live longer now, and takes the answer with it.
    clock.advance(1);
    await visit(app, '/page').set('X-A', '1').expect('page 2');
    await visit(app, '/page').expect('page 1').expect('Age', '1');
    await visit(app, '/page').set('X-A', '1').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('lives on in its variants when the answer without the header has expired', async () => {
    const { app } = pageApp((res, call, req) => {
      res.setHeader('Vary', 'X-A');
      res.setHeader('Cache-Control', `max-age=${req.headers['x-a'] === undefined ? 5 : 50}`);
      res.end(`page ${call}`);
    });
    await visit(app, '/page').expect('page 1');
    await visit(app, '/page').set('X-A', '1').expect('page 2');
    clock.advance(10);
    await visit(app, '/page').set('X-A', '1').expect('page 2');
    await visit(app, '/page').expect('page 3');
  });

  test('is not misled by request headers that every object seems to have', async () => {
    const { app } = pageApp(varyingOn('constructor, toString, __proto__'));
    await visit(app, '/page').expect('page 1');
    await visit(app, '/page').set('constructor', 'mine').expect('page 2');
    await visit(app, '/page').set('tostring', 'mine').expect('page 3');
    await visit(app, '/page').expect('page 1');
  });
});

describe('look-ups', () => {
  const readsOf = async (act: () => PromiseLike<unknown>) => {
    const before = bytes().tally.reads;
    await act();
    await settled();
    return bytes().tally.reads - before;
  };

  test('a hit takes one for a page that does not vary (PAGE-26)', async () => {
    const { app, origin } = pageApp(undefined, { options: { cache: 'bytes' } });
    const page = () => visit(app, '/page').set('Cookie', 'a=1').expect('page 1');
    expect(await readsOf(page)).toBe(1);
    expect(await readsOf(page)).toBe(1);
    expect(origin.calls).toBe(1);
  });

  test('a hit takes two for a page that varies, one if the header is not sent (PAGE-26)', async () => {
    const { app, origin } = pageApp(varyingOn('X-A'), { options: { cache: 'bytes' } });
    await visit(app, '/page').set('X-A', '1').expect('page 1');
    await visit(app, '/page').expect('page 2');
    await settled();
    expect(await readsOf(() => visit(app, '/page').set('X-A', '1').expect('page 1'))).toBe(2);
    expect(await readsOf(() => visit(app, '/page').expect('page 2'))).toBe(1);
    expect(origin.calls).toBe(2);
  });

  test('list and page live for the timeout of the page (PAGE-26)', async () => {
    const { app } = pageApp(varyingOn('X-A'), { options: { cache: 'bytes', seconds: 30 } });
    await visit(app, '/page').set('X-A', '1');
    await settled();
    const instants = [...bytes().entries.values()].map(({ expiresAt }) => expiresAt);
    expect(instants).toEqual([clock.now() + 30_000, clock.now() + 30_000]);
  });

  test('losing the list costs one rebuild (PAGE-26)', async () => {
    const { app, origin } = pageApp(varyingOn('X-A'), { options: { cache: 'bytes' } });
    const page = () => visit(app, '/page').set('X-A', '1');
    await page().expect('page 1');
    await settled();
    bytes().entries.delete([...bytes().entries.keys()][0]!);
    await page().expect('page 2');
    await settled();
    await page().expect('page 2');
    expect(origin.calls).toBe(2);
  });
});

describe('what stands between the pair adds to Vary, and so to the key', () => {
  const adding =
    (name: string): Step =>
    (_req, res, next) => {
      res.setHeader('Vary', [res.getHeader('Vary') ?? []].flat().concat(name).join(', '));
      next();
    };

  test.each([
    ['a session', 'Cookie', ['sid=1', 'sid=2']],
    ['a locale', 'Accept-Language', ['de', 'en']],
  ])('%s adds %s (DOWN-02)', async (_what, name, [one, other]) => {
    const { app, origin } = pageApp(
      (res, _call, req) => res.end(`for ${req.headers[name.toLowerCase()]}`),
      { between: [adding(name)] },
    );
    for (const _visit of [1, 2]) {
      await visit(app, '/page').set(name, one!).expect(`for ${one}`).expect('Vary', name);
      await visit(app, '/page').set(name, other!).expect(`for ${other}`);
    }
    expect(origin.calls).toBe(2);
  });

  test('compression adds Accept-Encoding (DOWN-02)', async () => {
    const { app, origin } = pageApp(
      (res) => {
        res.setHeader('Content-Type', 'text/plain');
        res.end('again and '.repeat(500));
      },
      { between: [adding('Cookie'), compression({ threshold: 0 }) as never] },
    );
    for (const _visit of [1, 2]) {
      const zipped = await visit(app, '/page').set('Accept-Encoding', 'gzip');
      expect(zipped.headers).toMatchObject({
        'content-encoding': 'gzip',
        vary: 'Cookie, Accept-Encoding',
      });
      const plain = await visit(app, '/page').set('Accept-Encoding', '');
      expect(plain.headers).not.toHaveProperty('content-encoding');
    }
    expect(origin.calls).toBe(2);
  });
});

test('public for the anonymous, private for those logged in: nobody gets the other (DOWN-03)', async () => {
  const { app, origin } = pageApp((res, call, req) => {
    const user = /user=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
    res.setHeader('Vary', 'Cookie');
    res.setHeader('Cache-Control', user === undefined ? 'public' : 'private');
    res.end(`${user ?? 'stranger'} ${call}`);
  });
  const as = (cookie: string) => visit(app, '/page').set('Cookie', cookie);
  await as('').expect('stranger 1');
  const own = await as('user=ann').expect('ann 2');
  expect(own.headers['cache-control']).toBe('private');
  await as('user=ann').expect('ann 3');
  await as('user=bob').expect('bob 4');
  await as('').expect('stranger 1').expect('Cache-Control', 'public, max-age=600');
  expect(origin.calls).toBe(4);
});
