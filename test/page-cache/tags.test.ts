import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type BaseCache,
  CacheKeyNotFoundError,
  cachePage,
  caches,
  cacheTags,
  fetchFromCache,
  invalidate,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, STACKS, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const URL = 'http://www.example.com';

/** As handlers know the response behind one of our middlewares. */
type Taggable = ServerResponse & { cacheTags(...tags: string[]): void };

function tagging(respond: (res: Taggable, call: number, req: IncomingMessage) => unknown): Respond {
  return respond as Respond;
}

/** A gate that handlers wait at, and how many have arrived there. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describeEachStack((build) => {
  test('middleware before cachePage() may give tags as a hit is sent', async () => {
    const tagAtHead: Step = (_req, res, next) => {
      const { writeHead } = res as ServerResponse;
      (res as ServerResponse).writeHead = function tagged(this: ServerResponse, ...args: never) {
        (res as Taggable).cacheTags('product:42');
        return writeHead.apply(this, args);
      } as typeof writeHead;
      next();
    };
    const origin = makeOrigin();
    const app = build([tagAtHead, cachePage(60), origin.handle]);
    await visit(app, '/page').expect(200, 'page 1');
    await visit(app, '/page').expect(200, 'page 1');
  });

  const ways: [string, (res: ServerResponse) => void][] = [
    ['res.cacheTags()', (res) => (res as Taggable).cacheTags('product:42', 'product:43')],
    ['cacheTags(res)', (res) => cacheTags(res, 'product:42', 'product:43')],
    ['Cache-Tag', (res) => void res.setHeader('Cache-Tag', 'product:42,product:43')],
    ['Surrogate-Key', (res) => void res.setHeader('Surrogate-Key', 'product:42 product:43')],
  ];
  const caching: [string, () => Step[]][] = [
    ['the pair', () => [updateCache(), fetchFromCache()] as unknown as Step[]],
    ['cachePage', () => [cachePage(60) as unknown as Step]],
  ];
  describe.each(caching)('behind %s', (_which, steps) => {
    test.each(ways)('a page tagged by %s is purged by each of its tags', async (_how, tag) => {
      const origin = makeOrigin((res, call) => {
        tag(res);
        res.end(`page ${call}`);
      });
      const app = build([{ path: '/page', steps: [...steps(), origin.handle] }]);
      const ask = async () => {
        const { text } = await visit(app, '/page').expect(200);
        await settled();
        return text;
      };
      expect([await ask(), await ask()]).toEqual(['page 1', 'page 1']);
      await caches.default.invalidateTags(['product:4', 'product:42,product:43']);
      expect(await ask()).toBe('page 1');
      await caches.default.invalidateTags(['product:43']);
      expect([await ask(), await ask()]).toEqual(['page 2', 'page 2']);
      await caches.default.invalidateTags(new Set(['product:42', 'other']));
      expect([await ask(), await ask()]).toEqual(['page 3', 'page 3']);
    });
  });
});

describe('tags', () => {
  test('may come while the body is sent already', async () => {
    const { app } = pageApp(
      tagging((res, call) => {
        res.write(`page ${call}`);
        res.cacheTags('late');
        res.end();
      }),
    );
    for (const _visit of [1, 2]) await visit(app, '/page').expect('page 1');
    await caches.default.invalidateTags(['late']);
    await visit(app, '/page').expect('page 2');
  });

  test.each([
    'de',
    'a b,c',
    '\u00e4\u{1f600}',
    'x'.repeat(500),
    't.de',
    '__proto__',
    'clock',
    'all',
  ])('may be called %j, and are none other', async (tag) => {
    const { app } = pageApp(
      tagging((res, call) => {
        res.cacheTags(tag);
        res.end(`page ${call}`);
      }),
    );
    await visit(app, '/page').expect('page 1');
    await caches.default.invalidateTags([`${tag}.`, tag.slice(1) || '-', tag.toUpperCase()]);
    await visit(app, '/page').expect('page 1');
    await caches.default.invalidateTags([tag]);
    await visit(app, '/page').expect('page 2');
  });

  test('are worked out of the request', async () => {
    const tags = (req: { url?: string | undefined }) => [`at ${req.url}`, 'site'];
    const { app } = pageApp((res, call) => res.end(`page ${call}`), { options: { tags } });
    await visit(app, '/a').expect('page 1');
    await visit(app, '/b').expect('page 2');
    await caches.default.invalidateTags(['at /a']);
    await visit(app, '/a').expect('page 3');
    await visit(app, '/b').expect('page 2');
    await caches.default.invalidateTags(['site']);
    await visit(app, '/b').expect('page 4');
  });

  test.each([
    ['throws', () => JSON.parse('{'), /JSON/],
    ['gives what is no string', () => [42] as never, /A tag is 42\. Give a string/],
    ['gives an empty one', () => [''], /A tag is ""\. Give a string/],
  ])(
    'of a function that %s are told of, and the page is sent but not stored',
    async (_what, tags, message) => {
      const failures: unknown[] = [];
      const onError = (error: unknown) => failures.push(error);
      const { app } = pageApp(undefined, { options: { tags, onError } });
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
      await visit(app, '/page').expect(200, 'page 2');
      expect(String(failures[0])).toMatch(message);
    },
  );

  test('on a page that is not cached do nothing', async () => {
    const { app } = pageApp(
      tagging((res, call) => {
        res.cacheTags('private');
        res.setHeader('Cache-Control', 'no-store');
        res.end(`page ${call}`);
      }),
    );
    for (const call of [1, 2]) await visit(app, '/page').expect(200, `page ${call}`);
  });

  test('on a POST do nothing', async () => {
    const { app, origin } = pageApp(
      tagging((res, call, req) => {
        res.cacheTags('shared');
        res.setHeader('Cache-Tag', 'also shared');
        res.end(`${req.method} ${call}`);
      }),
    );
    await visit(app, '/page').expect('GET 1');
    await visit(app, '/other', 'post')
      .expect(200, 'POST 2')
      .expect((res) => {
        expect(res.headers).not.toHaveProperty('cache-tag');
      });
    await settled();
    await visit(app, '/page').expect('GET 1');
    await caches.default.invalidateTags(['shared']);
    await visit(app, '/page').expect('GET 3');
    await visit(app, '/other', 'post').expect('POST 4');
    expect(origin.calls).toBe(4);
  });
});

describe('the headers Cache-Tag and Surrogate-Key', () => {
  const HEADERS: [string, string | string[], string[]][] = [
    ['Cache-Tag', 'a', ['a']],
    ['Cache-Tag', ' a ,,b\t, c d ,', ['a', 'b', 'c d']],
    ['Cache-Tag', ['a, b', 'c'], ['a', 'b', 'c']],
    ['cache-tag', 'a', ['a']],
    ['Surrogate-Key', '  a   b\tc ', ['a', 'b', 'c']],
    ['Surrogate-Key', ['a b', 'c,d'], ['a', 'b', 'c,d']],
    ['Cache-Tag', '', []],
    ['Cache-Tag', ' , ', []],
  ];

  test.each(HEADERS)('%s: %j', async (name, value, tags) => {
    const { app } = pageApp((res, call) => {
      res.setHeader(name, value);
      res.end(`page ${call}`);
    });
    const ask = async () => {
      const { text, headers } = await visit(app, '/page').expect(200);
      await settled();
      expect(headers).not.toHaveProperty(name.toLowerCase());
      return text;
    };
    expect([await ask(), await ask()]).toEqual(['page 1', 'page 1']);
    await caches.default.invalidateTags(
      [value.toString(), 'd', 'c,'].filter((tag) => {
        return tag !== '' && !tags.includes(tag);
      }),
    );
    expect(await ask()).toBe('page 1');
    for (const [i, tag] of tags.entries()) {
      await caches.default.invalidateTags([tag]);
      expect([tag, await ask()]).toEqual([tag, `page ${i + 2}`]);
    }
  });

  const both: Respond = (res) => {
    res.writeHead(200, { 'Cache-Tag': 'a,b', 'Surrogate-Key': 'c d', 'X-Other': 'stays' });
    res.end('page');
  };

  test('are kept if asked for, on hits too', async () => {
    const { app, origin } = pageApp(both, { options: { tagHeaders: 'keep' } });
    for (const _visit of [1, 2]) {
      await visit(app, '/page').expect('Cache-Tag', 'a,b').expect('Surrogate-Key', 'c d');
    }
    expect(origin.calls).toBe(1);
    await caches.default.invalidateTags(['d']);
    await visit(app, '/page');
    expect(origin.calls).toBe(2);
  });

  test.each<[string, Respond, PageCacheOptions, 'get' | 'head' | 'post' | 'options']>([
    [
      'that may not be stored',
      (res, ...rest) => {
        res.setHeader('Cache-Control', 'private');
        return both(res, ...rest);
      },
      {},
      'get',
    ],
    [
      'that is an error',
      (res) => {
        res.writeHead(500, { 'Cache-Tag': 'a' });
        res.end();
      },
      {},
      'get',
    ],
    ['that is stored', both, {}, 'get'],
    ['to HEAD', both, {}, 'head'],
    ['to POST', both, {}, 'post'],
    ['to OPTIONS', both, {}, 'options'],
    ['that passes by', both, { key: { hosts: ['other.example'] } }, 'get'],
  ])('are stripped from a response %s, or kept', async (_which, respond, options, method) => {
    const { app } = pageApp(respond, { options });
    const { headers } = await visit(app, '/page', method);
    expect(Object.keys(headers)).not.toContain('cache-tag');
    expect(Object.keys(headers)).not.toContain('surrogate-key');
    const keeping = pageApp(respond, {
      options: { ...options, tagHeaders: 'keep', keyPrefix: 'keeping' },
    });
    await visit(keeping.app, '/page', method).expect('Cache-Tag', /^a/);
  });

  test('are stripped by cachePage as well', async () => {
    const app = STACKS.Connect!([
      cachePage(60, { key: { hosts: ['other.example'] } }) as unknown as Step,
      makeOrigin(both).handle,
    ]);
    for (const method of ['get', 'post'] as const) {
      const { headers } = await visit(app, '/page', method).expect('X-Other', 'stays');
      expect(headers).not.toHaveProperty('cache-tag');
    }
  });
});

describe('nested caches', () => {
  function nested(outer: PageCacheOptions, inner: PageCacheOptions) {
    const origin = makeOrigin((res, call) => {
      res.setHeader('Cache-Tag', 'product:7');
      res.end(`page ${call}`);
    });
    const app = STACKS['Express 5']!([
      updateCache(outer) as unknown as Step,
      fetchFromCache() as unknown as Step,
      cachePage(600, inner) as unknown as Step,
      origin.handle,
    ]);
    return { app, origin };
  }

  const purges: [string, (cache: BaseCache) => Promise<void>][] = [
    ['tag', (cache) => cache.invalidateTags(['product:7'])],
    ['URL', (cache) => cache.invalidateUrl(`${URL}/shop/page`)],
    ['prefix', (cache) => cache.invalidatePrefix('/shop/')],
  ];

  test.each(purges)('a purge by %s reaches both in one cache', async (_how, purge) => {
    const { app } = nested({ keyPrefix: 'site' }, { keyPrefix: 'route' });
    for (const _visit of [1, 2]) await visit(app, '/shop/page').expect('page 1');
    await settled();
    await purge(caches.default);
    for (const _visit of [1, 2]) await visit(app, '/shop/page').expect('page 2');
  });

  test.each(purges)('a purge by %s is of one cache alone', async (_how, purge) => {
    const [outer, inner] = [new ByteCache('nested-outer'), new ByteCache('nested-inner')];
    await Promise.all([outer.clear(), inner.clear()]);
    const { app } = nested({ cache: outer }, { cache: inner });
    const ask = async () => {
      const { text } = await visit(app, '/shop/page');
      await settled();
      return text;
    };
    expect([await ask(), await ask()]).toEqual(['page 1', 'page 1']);
    await purge(outer);
    // The inner one answers, and what it had stored is not stored once more further out.
    expect(await ask()).toBe('page 1');
    await purge(inner);
    expect([await ask(), await ask()]).toEqual(['page 2', 'page 2']);
    // What the outer one has stored is its own to purge.
    await purge(inner);
    expect(await ask()).toBe('page 2');
    await purge(outer);
    expect(await ask()).toBe('page 3');
  });
});

describe('a page that is validated', () => {
  test('by a 304 keeps its tags, and gets those of the 304', async () => {
    const { app, origin } = pageApp(
      tagging((res, call, req) => {
        res.setHeader('ETag', '"v"');
        if (req.headers['if-none-match'] === '"v"') {
          res.cacheTags(`of 304`);
          res.statusCode = 304;
          res.end();
          return;
        }
        res.cacheTags('of 200');
        res.end(`page ${call}`);
      }),
      { options: { seconds: 10 } },
    );
    const round = async () => {
      const { text } = await visit(app, '/page').expect(200);
      await settled();
      return text;
    };
    expect(await round()).toBe('page 1');
    clock.advance(11);
    expect([await round(), await round()]).toEqual(['page 1', 'page 1']);
    expect(origin.calls).toBe(2);
    await caches.default.invalidateTags(['of 200']);
    expect(await round()).toBe('page 3');
    clock.advance(11);
    expect([await round(), await round()]).toEqual(['page 3', 'page 3']);
    expect(origin.calls).toBe(4);
    await caches.default.invalidateTags(['of 304']);
    expect(await round()).toBe('page 5');
  });

  test('while it is purged is not found any more', async () => {
    const { opened, open } = gate();
    const { app, origin } = pageApp(
      tagging(async (res, call, req) => {
        res.setHeader('ETag', '"v"');
        if (req.headers['if-none-match'] !== undefined) {
          await opened;
          res.statusCode = 304;
          res.end();
          return;
        }
        res.cacheTags('kept');
        res.end(`page ${call}`);
      }),
      { options: { seconds: 10 } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(11);
    const slow = visit(app, '/page').then(({ text }) => text);
    await until(() => origin.calls === 2);
    await caches.default.invalidateTags(['kept']);
    open();
    expect(await slow).toBe('page 1');
    await settled();
    await visit(app, '/page').expect('page 3');
  });

  test.each([
    ['before', 1],
    ['after', 2],
  ])('by a HEAD keeps its tags: a purge %s it takes the page', async (when, _i) => {
    const { app, origin } = pageApp(
      tagging((res, call, req) => {
        res.setHeader('ETag', '"v"');
        if (req.method === 'GET') res.cacheTags('of GET');
        res.setHeader('Content-Length', '6');
        res.end(`page ${call}`);
      }),
      { options: { seconds: 10 } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(11);
    if (when === 'before') await caches.default.invalidateTags(['of GET']);
    await visit(app, '/page', 'head').expect(200);
    await settled();
    expect(origin.calls).toBe(2);
    if (when === 'after') {
      await visit(app, '/page').expect('page 1');
      expect(origin.calls).toBe(2);
      await caches.default.invalidateTags(['of GET']);
    }
    await visit(app, '/page').expect('page 3');
  });
});

describe('a soft purge', () => {
  const purges: [string, () => Promise<void>][] = [
    ['by tag', () => caches.default.invalidateTags(['news'], { mode: 'soft' })],
    ['by URL', () => caches.default.invalidateUrl(`${URL}/in/page`, { mode: 'soft' })],
    ['by prefix', () => caches.default.invalidatePrefix('/in/', { mode: 'soft' })],
    ['of everything', () => caches.default.invalidatePrefix('/', { mode: 'soft' })],
  ];
  const soften = purges[0]![1];

  /** A page whose renderings after the first wait until they are let go. */
  function slowly(fields: Record<string, string> = {}, options: PageCacheOptions = {}) {
    const gates: (() => void)[] = [];
    const page = pageApp(
      tagging(async (res, call) => {
        res.cacheTags('news');
        for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
        if (call > 1) await new Promise<void>((resolve) => gates.push(resolve));
        res.end(`page ${call}`);
      }),
      { options },
    );
    return { ...page, gates };
  }

  test.each(purges)('%s shows the old page while it is made anew, once', async (_how, purge) => {
    const { app, origin, gates } = slowly();
    const ask = () => visit(app, '/in/page');
    await ask().expect('page 1');
    await purge();
    for (const _visit of [1, 2, 3]) await ask().expect('page 1');
    await until(() => origin.calls === 2);
    await ask().expect('page 1');
    expect(origin.calls).toBe(2);
    gates.shift()!();
    await settled();
    for (const _visit of [1, 2]) await ask().expect('page 2');
    expect(origin.calls).toBe(2);
    await purge();
    await ask().expect('page 2');
    await until(() => origin.calls === 3);
    gates.shift()!();
    await eventually(() => ask().expect('page 3'));
  });

  test('while the page is made anew has it made once more', async () => {
    const { app, origin, gates } = slowly();
    const ask = () => visit(app, '/page');
    await ask().expect('page 1');
    await soften();
    await ask().expect('page 1');
    await until(() => origin.calls === 2);
    await soften();
    gates.shift()!();
    await settled();
    // What was made in between is older than the second purge.
    clock.advance(2);
    await ask().expect('page 1');
    await until(() => origin.calls === 3);
    gates.shift()!();
    await eventually(() => ask().expect('page 3'));
  });

  test('and then a hard one: nobody is shown the page any more', async () => {
    const { app, origin, gates } = slowly();
    await visit(app, '/page').expect('page 1');
    await soften();
    await caches.default.invalidateTags(['news']);
    const next = visit(app, '/page').then(({ text }) => text);
    await until(() => origin.calls === 2);
    gates.shift()!();
    expect(await next).toBe('page 2');
  });

  test.each(['must-revalidate', 'proxy-revalidate'])(
    'of a page that says %s shows it to nobody',
    async (directive) => {
      const { app, origin, gates } = slowly({ 'Cache-Control': `max-age=60, ${directive}` });
      await visit(app, '/page').expect('page 1');
      await visit(app, '/page').expect('page 1');
      await soften();
      const next = visit(app, '/page').then(({ text }) => text);
      await until(() => origin.calls === 2);
      gates.shift()!();
      expect(await next).toBe('page 2');
    },
  );

  test('shows the old page for a minute at most, if it cannot be made anew', async () => {
    let isBroken = false;
    const { app } = pageApp(
      tagging((res, call) => {
        res.cacheTags('news');
        if (isBroken) res.statusCode = 500;
        res.end(isBroken ? 'error' : `page ${call}`);
      }),
      { options: { seconds: 600 } },
    );
    await visit(app, '/page').expect('page 1');
    isBroken = true;
    await soften();
    for (let i = 0; i < 6; i++) {
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
      clock.advance(11);
    }
    await visit(app, '/page').expect(500, 'error');
  });
});

describe('what cannot be purged by', () => {
  const give = /Give/;
  test.each<[string, () => Promise<void>, RegExp]>([
    [
      'a mode',
      () => caches.default.invalidateTags(['a'], { mode: 'Soft' as never }),
      /mode is "Soft"\. Give 'hard' or 'soft'/,
    ],
    [
      'a mode of a URL',
      () => caches.default.invalidateUrl(URL, { mode: null as never }),
      /mode is null\. Give/,
    ],
    [
      'a mode of a prefix',
      () => caches.default.invalidatePrefix('/', { mode: 1 as never }),
      /mode is 1\. Give/,
    ],
    ['a number', () => caches.default.invalidateTags([42 as never]), /A tag is 42\. Give a string/],
    [
      'undefined',
      () => caches.default.invalidateTags(['a', undefined as never]),
      /A tag is undefined\. Give a string/,
    ],
    ['an empty tag', () => caches.default.invalidateTags(['']), /A tag is ""\. Give a string/],
    [
      'a bare string',
      () => caches.default.invalidateTags('product:42'),
      /"product:42".*\['product:42'\]|list/,
    ],
    [
      'a relative URL',
      () => caches.default.invalidateUrl('/shop'),
      /"\/shop" is no absolute URL\. Give/,
    ],
    [
      'no URL',
      () => caches.default.invalidateUrl(undefined as never),
      /undefined is no absolute URL\. Give/,
    ],
    [
      'a relative URL for all caches',
      () => invalidate('shop/7'),
      /"shop\/7" is no absolute URL\. Give/,
    ],
    [
      'a prefix without its slash',
      () => caches.default.invalidatePrefix('/shop'),
      /"\/shop" does not end in a slash\. Give/,
    ],
    [
      'a URL as a prefix without its slash',
      () => caches.default.invalidatePrefix(`${URL}/shop`),
      /does not end in a slash\. Give/,
    ],
    ['a prefix without its first slash', () => caches.default.invalidatePrefix('shop/'), give],
    ['no prefix', () => caches.default.invalidatePrefix(undefined as never), give],
  ])('%s is an error that names the mend', async (_what, purge, message) => {
    await expect(purge()).rejects.toThrow(TypeError);
    await expect(purge()).rejects.toThrow(message);
  });

  test('cacheTags() names the order of its arguments (D12)', () => {
    const res = { getHeader() {} } as unknown as ServerResponse;
    expect(() => cacheTags('product:42', res as never)).toThrow(
      "The response comes first: cacheTags(res, 'product:42').",
    );
    expect(() => cacheTags(5 as never)).toThrow('cacheTags() got 5 as a tag. Give strings');
  });

  test.each([42, '', undefined, null])('res.cacheTags(%j) is one, too', (tag) => {
    const res = {} as ServerResponse;
    expect(() => cacheTags(res, 'fine', tag as never)).toThrow(
      /cacheTags\(\) got .*\. Give strings/,
    );
  });

  test.each([
    [{ tagHeaders: 'drop' }, /tagHeaders \}\) got "drop"\. Give 'strip' or 'keep'/],
    [{ tags: ['a'] }, /tags \}\) got \["a"\]\. Give a function/],
  ])('the option %j is one, too', (options, message) => {
    expect(() => updateCache(options as never)).toThrow(message);
    expect(() => cachePage(60, options as never)).toThrow(message);
  });

  test('nothing at all is no error', async () => {
    const { app } = pageApp();
    await visit(app, '/page').expect('page 1');
    await caches.default.invalidateTags([]);
    await visit(app, '/page').expect('page 1');
  });
});

/** Shared with other processes, so that pages are made under leases. */
class SharedByteCache extends ByteCache {
  override readonly isShared = true;
}

describe('on a server whose failures are taken for misses', () => {
  class MissingCache extends SharedByteCache {
    failing: ('incr' | 'setMany')[] = [];
    override async incr(key: string, delta?: number): Promise<number> {
      if (this.failing.includes('incr')) throw new CacheKeyNotFoundError(key, 'incr');
      return super.incr(key, delta);
    }
    override async setMany(entries: Record<string, unknown>, timeout?: number | null) {
      if (this.failing.includes('setMany')) return Object.keys(entries);
      return super.setMany(entries, timeout);
    }
  }
  let cache: MissingCache;
  beforeEach(async () => {
    cache = new MissingCache('tags-missing');
    await cache.clear();
  });

  test('a soft purge that cannot count is a hard one, or fails', async () => {
    const { app } = pageApp((res, call) => res.end(`page ${call}`), {
      options: { cache, tags: () => ['news'] },
    });
    await visit(app, '/page').expect('page 1');
    await settled();
    await visit(app, '/page').expect('page 1');
    cache.failing = ['incr', 'setMany'];
    await expect(cache.invalidateTags(['news'], { mode: 'soft' })).rejects.toThrow(/be purged/);
    cache.failing = ['incr'];
    await cache.invalidateTags(['news'], { mode: 'soft' });
    await visit(app, '/page').expect('page 2');
  });

  test('a purge that cannot be logged is not lost to a render that gives its tags late', async () => {
    let data = 'v1';
    const { opened, open } = gate();
    const { app, origin } = pageApp(
      tagging(async (res) => {
        const read = data;
        if (origin.calls === 1) await opened;
        res.cacheTags('late');
        res.end(read);
      }),
      { options: { cache } },
    );
    const slow = visit(app, '/page').then(({ text }) => text);
    await until(() => origin.calls === 1);
    data = 'v2';
    cache.failing = ['incr'];
    await cache.invalidateTags(['late']);
    open();
    expect(await slow).toBe('v1');
    await settled();
    await visit(app, '/page').expect('v2');
  });
});

describe('a purge while a page is made that others wait for', () => {
  const backends: [string, () => BaseCache | string][] = [
    ['local memory', () => 'default'],
    ['an asynchronous backend', () => new ByteCache('tags-waiting')],
    ['a shared backend', () => new SharedByteCache('tags-waiting-shared')],
  ];

  const purges: [string, (cache: BaseCache) => Promise<void>][] = [
    ['by a tag', (cache) => cache.invalidateTags(['data', 'other'])],
    ['by its URL', (cache) => cache.invalidateUrl(`${URL}/page`)],
  ];
  const cases = backends.flatMap(([name, make]) =>
    purges.map(([how, purge]) => [how, name, make, purge] as const),
  );

  test.each(cases)(
    '%s, on %s: nobody who asks after it gets the old page',
    async (_how, _name, make, purge) => {
      const cache = make();
      const backend = typeof cache === 'string' ? caches.default : cache;
      await backend.clear();
      let data = 'v1';
      const { opened, open } = gate();
      const { app, origin } = pageApp(
        tagging(async (res, call) => {
          const read = data;
          if (call === 1) await opened;
          res.cacheTags('data');
          res.end(read);
        }),
        { options: { cache } },
      );
      const ask = () => visit(app, '/page').then(({ text }) => text);
      const before = [ask(), ask()];
      await until(() => origin.calls === 1);
      await settled();
      data = 'v2';
      await purge(backend);
      const after = [ask(), ask(), ask()];
      await settled();
      expect(origin.calls).toBe(1);
      open();
      expect((await Promise.all(before))[0]).toBe('v1');
      expect(await Promise.all(after)).toEqual(['v2', 'v2', 'v2']);
      await settled();
      expect(await ask()).toBe('v2');
      // One of those who waited has made it anew for all.
      expect(origin.calls).toBe(2);
    },
  );

  test('nor who asks after it while the tags are still looked at', async () => {
    let isHeld = false;
    const { opened, open } = gate();
    class HesitantCache extends ByteCache {
      override async readCounters(keys: readonly string[]) {
        const found = await super.readCounters(keys);
        if (isHeld) await opened;
        return found;
      }
    }
    const cache = new HesitantCache('tags-hesitant');
    await cache.clear();
    let data = 'v1';
    const { app, origin } = pageApp(
      tagging((res) => {
        isHeld = origin.calls === 1;
        res.end(data);
      }),
      { options: { cache, tags: () => ['data'], readTimeoutMs: 5000 } },
    );
    const first = visit(app, '/page').then(({ text }) => text);
    await until(() => isHeld);
    await settled();
    isHeld = false;
    data = 'v2';
    await cache.invalidateTags(['data']);
    const second = visit(app, '/page').then(({ text }) => text);
    await settled();
    open();
    expect([await first, await second]).toEqual(['v1', 'v2']);
  });

  test.each(['hard', 'soft'] as const)(
    'nor who waits for one who has found what another process made: a %s purge',
    async (mode) => {
      const { opened, open } = gate();
      let looks: number | undefined;
      /** Its replicas lag, and its leader is slow to tell the counters. */
      class LaggingCache extends SharedByteCache {
        override getFrozen(...args: Parameters<ByteCache['getFrozen']>) {
          return looks === undefined || args[2] ? super.getFrozen(...args) : undefined;
        }
        override async readCounters(keys: readonly string[]) {
          const found = await super.readCounters(keys);
          if (looks !== undefined) looks += 1;
          if (looks === 2) await opened;
          return found;
        }
      }
      const cache = new LaggingCache('tags-lagging');
      await cache.clear();
      let data = 'v1';
      const { app } = pageApp(
        tagging((res) => {
          res.setHeader('Cache-Control', 'max-age=60, must-revalidate');
          res.end(data);
        }),
        { options: { cache, tags: () => ['data'], readTimeoutMs: 5000 } },
      );
      const ask = () => visit(app, '/page').then(({ text }) => text);
      expect(await ask()).toBe('v1');
      await settled();
      looks = 0;
      const first = ask();
      await until(() => looks === 2);
      data = 'v2';
      await cache.invalidateTags(['data'], { mode });
      const second = ask();
      await until(() => looks === 3);
      await settled();
      open();
      expect([await first, await second]).toEqual(['v1', 'v2']);
    },
  );
});

describe('a page that varies', () => {
  test.each<[string, () => Promise<void>]>([
    ['URL', () => caches.default.invalidateUrl(`${URL}/a/page`)],
    ['prefix', () => caches.default.invalidatePrefix('/a/')],
    ['prefix of its host', () => caches.default.invalidatePrefix(`${URL}/a/`)],
    ['tag', () => caches.default.invalidateTags(['both'])],
  ])('is purged by %s in all its variants', async (_how, purge) => {
    const { app } = pageApp(
      tagging((res, call, req) => {
        res.setHeader('Vary', 'X-Lang');
        res.cacheTags('both', `in ${req.headers['x-lang']}`);
        res.end(`page ${call}`);
      }),
    );
    const ask = (lang: string) => visit(app, '/a/page').set('X-Lang', lang);
    await ask('de').expect('page 1');
    await ask('en').expect('page 2');
    await visit(app, '/b/page').expect('page 3');
    await purge();
    await ask('de').expect('page 4');
    await ask('en').expect('page 5');
    await ask('de').expect('page 4');
    if (_how !== 'tag') await visit(app, '/b/page').expect('page 3');
  });

  test('is purged by a tag in the variant that has it', async () => {
    const { app } = pageApp(
      tagging((res, call, req) => {
        res.setHeader('Vary', 'X-Lang');
        res.cacheTags(`in ${req.headers['x-lang']}`);
        res.end(`page ${call}`);
      }),
    );
    const ask = (lang: string) => visit(app, '/page').set('X-Lang', lang);
    await ask('de').expect('page 1');
    await ask('en').expect('page 2');
    await caches.default.invalidateTags(['in de']);
    await ask('en').expect('page 2');
    await ask('de').expect('page 3');
    await ask('en').expect('page 2');
  });
});

test.each<[string, () => BaseCache | string]>([
  ['local memory', () => 'default'],
  ['an asynchronous backend', () => new ByteCache('tags-refresh')],
])(
  'a background refresh that a purge outruns stores nothing, on %s (RFC 5861 \u00a73)',
  async (_name, make) => {
    const cache = make();
    const backend = typeof cache === 'string' ? caches.default : cache;
    await backend.clear();
    let data = 'v1';
    const { opened, open } = gate();
    const { app, origin } = pageApp(
      tagging(async (res, call) => {
        const read = data;
        if (call === 2) await opened;
        res.cacheTags('data');
        res.end(read);
      }),
      { options: { cache, seconds: 10, staleWhileRevalidate: 60 } },
    );
    const ask = () => visit(app, '/page').then(({ text }) => text);
    expect(await ask()).toBe('v1');
    await settled();
    clock.advance(11);
    expect(await ask()).toBe('v1');
    await until(() => origin.calls === 2);
    data = 'v2';
    await backend.invalidateTags(['data']);
    const waiting = ask();
    await settled();
    open();
    expect(await waiting).toBe('v2');
    await settled();
    expect(await ask()).toBe('v2');
  },
);

test('prefixes deeper than eight directories are purged with the eighth', async () => {
  const { app } = pageApp((res, call) => res.end(`page ${call}`));
  const deep = '/1/2/3/4/5/6/7/8/';
  await visit(app, `${deep}a/page`).expect('page 1');
  await visit(app, '/1/2/3/4/5/6/7/page').expect('page 2');
  await caches.default.invalidatePrefix(`${deep}b/`);
  await visit(app, `${deep}a/page`).expect('page 3');
  await visit(app, '/1/2/3/4/5/6/7/page').expect('page 2');
});
