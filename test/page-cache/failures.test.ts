import {
  BaseCache,
  cachePage,
  configureCaches,
  fetchFromCache,
  type PageCacheFailure,
  updateCache,
} from 'cachewright';
import { ByteCache, RejectingCache, ThrowingCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

/** Reads fail, or writes do. */
class HalfBrokenCache extends ByteCache {
  broken: 'get' | 'set' | 'none' = 'none';

  override async get(...args: Parameters<ByteCache['get']>) {
    if (this.broken === 'get') throw new Error('cannot read');
    return super.get(...args);
  }

  override async set(...args: Parameters<ByteCache['set']>) {
    if (this.broken === 'set') throw new Error('cannot write');
    return super.set(...args);
  }
}

/** Collects what `onError` is told. */
function collectFailures() {
  const told: (PageCacheFailure & { message: string })[] = [];
  return {
    told,
    onError: (error: unknown, failure: PageCacheFailure) => {
      told.push({ ...failure, message: (error as Error).message });
    },
  };
}

const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);
beforeAll(() => process.on('unhandledRejection', onRejection));
afterAll(() => process.off('unhandledRejection', onRejection));
afterEach(async () => {
  await settled();
  expect(rejections.splice(0)).toEqual([]);
});

describeEachStack((build) => {
  test.each([
    ['rejects', new RejectingCache(), 'connection refused'],
    ['throws', new ThrowingCache(), 'not today'],
  ])(
    'a backend whose every method %s is a miss each time, and reported (PAGE-56)',
    async (_how, cache, message) => {
      const { told, onError } = collectFailures();
      const origin = makeOrigin();
      const routed = makeOrigin();
      const app = build([
        { path: '/routed', steps: [cachePage(60, { cache, onError }), routed.handle] },
        updateCache({ cache, onError }),
        fetchFromCache(),
        origin.handle,
      ]);
      for (const call of [1, 2]) {
        for (const path of ['/site', '/routed']) {
          told.length = 0;
          await visit(app, path).expect(200, `page ${call}`);
          await settled();
          expect(told.map(({ operation }) => operation)).toEqual(['read', 'write']);
          for (const failure of told) {
            expect(failure.message).toBe(message);
            expect(failure.key).toMatch(/^views\.decorators\.cache\.cache_page\./);
          }
        }
      }
      await visit(app, '/site', 'head').expect(200);
    },
  );

  test('an unknown alias is a miss each time, and named in the report (PAGE-56)', async () => {
    const { told, onError } = collectFailures();
    const origin = makeOrigin();
    const app = build([
      updateCache({ cache: 'nowhere', onError }),
      fetchFromCache(),
      origin.handle,
    ]);
    await visit(app, '/page').expect(200, 'page 1');
    await visit(app, '/page').expect(200, 'page 2');
    await settled();
    expect(told).toHaveLength(4);
    for (const { message } of told) expect(message).toContain('"nowhere"');
  });
});

test.each(['get', 'set'] as const)('only %s failing costs no page (PAGE-56)', async (method) => {
  const cache = new HalfBrokenCache(`half-broken-${method}`);
  const { told, onError } = collectFailures();
  const { app } = pageApp(
    (res, call) => {
      res.setHeader('Vary', 'X-A');
      res.end(`page ${call}`);
    },
    { options: { cache, onError } },
  );
  const page = () => visit(app, '/page').set('X-A', '1');
  cache.broken = method;
  await page().expect(200, 'page 1');
  await settled();
  await page().expect(200, 'page 2');
  await settled();
  expect(told.length).toBeGreaterThan(0);
  expect(new Set(told.map(({ operation }) => operation))).toEqual(
    new Set([method === 'get' ? 'read' : 'write']),
  );
  cache.broken = 'none';
  const { text } = await page();
  await settled();
  await page().expect(200, text);
});

test('a cache that recovers is used again (PAGE-56)', async () => {
  const cache = new HalfBrokenCache('recovers');
  cache.broken = 'get';
  const { app } = pageApp(undefined, { options: { cache, onError: () => {} } });
  await visit(app, '/page').expect('page 1');
  await settled();
  cache.broken = 'none';
  await visit(app, '/page').expect('page 1');
});

test.each([
  ['a string', 'text'],
  ['a number', 7],
  ['null', null],
  ['an object', { status: 200 }],
  ['an array', [1, 2]],
])('%s in place of a page is a miss (PAGE-56)', async (_what, value) => {
  class Garbage extends ByteCache {
    override async get() {
      return value as never;
    }
  }
  const { app } = pageApp(undefined, {
    options: { cache: new Garbage('garbage'), onError: () => {} },
  });
  await visit(app, '/page').expect(200, 'page 1');
  await visit(app, '/page').expect(200, 'page 2');
});

test('bytes that are no page are a miss, and reported (PAGE-56)', async () => {
  const cache = new ByteCache('bytes-of-others');
  const { told, onError } = collectFailures();
  const { app } = pageApp(undefined, { options: { cache, onError } });
  await visit(app, '/page').expect('page 1');
  await settled();
  for (const entry of cache.entries.values()) entry.bytes = Buffer.from('of someone else');
  await visit(app, '/page').expect(200, 'page 2');
  expect(told).toMatchObject([{ operation: 'read', message: expect.stringContaining('page') }]);
  await settled();
  await visit(app, '/page').expect(200, 'page 2');
  expect(told).toHaveLength(1);
});

test('a method that returns no promise is a failure like any other (PAGE-56)', async () => {
  class Synchronous extends BaseCache {
    override get() {
      return undefined as never;
    }
    override set() {
      return undefined as never;
    }
  }
  const { told, onError } = collectFailures();
  const { app } = pageApp(undefined, { options: { cache: new Synchronous(), onError } });
  await visit(app, '/page').expect(200, 'page 1');
  await settled();
  expect(told.map(({ operation }) => operation)).toContain('read');
});

describe('the report', () => {
  let emitWarning: jest.SpyInstance;
  beforeEach(() => {
    emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation();
  });
  afterEach(() => emitWarning.mockRestore());
  const warned = () =>
    emitWarning.mock.calls.filter(([, options]) => options?.code === 'CACHEWRIGHT_PAGE_CACHE');

  test('is a warning unless the site says otherwise, not one a request', async () => {
    // Later than whatever an earlier test may have warned of.
    clock.advance(3600);
    configureCaches({ default: { backend: RejectingCache } });
    const { app } = pageApp();
    for (let i = 0; i < 3; i++) await visit(app, '/page').expect(200);
    await settled();
    expect(warned().map(([message]) => message)).toEqual([
      expect.stringMatching(/read.*connection refused/),
      expect.stringMatching(/write.*connection refused/),
    ]);
    clock.advance(61);
    await visit(app, '/page').expect(200);
    await settled();
    expect(warned()).toHaveLength(4);
  });

  test('does no harm if the hook itself throws (PAGE-56)', async () => {
    clock.advance(7200);
    const onError = () => {
      throw new Error('the logger is down, too');
    };
    for (const cache of [new RejectingCache(), new ThrowingCache()]) {
      const { app } = pageApp(undefined, { options: { cache, onError } });
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
    }
    expect(warned()[0]).toEqual([expect.stringContaining('the logger is down'), expect.anything()]);
  });
});

describeEachStack((build) => {
  test('a hit that comes too late, after a timeout has answered, is dropped', async () => {
    const cache = new ByteCache('late');
    await cache.clear();
    const errors: unknown[] = [];
    const fetch = fetchFromCache();
    const origin = makeOrigin();
    let isImpatient = false;
    const impatient: Step = (_req, res, next) => {
      next();
      if (!isImpatient) return;
      res.statusCode = 503;
      res.end('too slow');
    };
    const app = build([
      updateCache({ cache }),
      impatient,
      (req, res, next) =>
        fetch(req, res, (error) => {
          if (error !== undefined) errors.push(error);
          next(error);
        }),
      origin.handle,
    ]);
    await visit(app, '/page').expect(200, 'page 1');
    await settled();
    isImpatient = true;
    await visit(app, '/page').expect(503, 'too slow');
    await settled();
    isImpatient = false;
    await visit(app, '/page').expect(200, 'page 1');
    expect(origin.calls).toBe(1);
    expect(errors).toEqual([]);
  });

  test.each(['locmem', 'bytes'])('a view that throws behind %s is an error page', async (kind) => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    try {
      const cache = kind === 'bytes' ? new ByteCache('throwing-view') : null;
      const view = cachePage(60, { cache })((_req, _res, _next) => {
        throw new Error('broken view');
      });
      const app = build([
        (req, res, next) => {
          // Plain Node has nobody else to catch it.
          try {
            return view(req, res, next);
          } catch (error) {
            return next(error);
          }
        },
      ]);
      await visit(app, '/page').expect(500);
    } finally {
      log.mockRestore();
    }
  });
});

test('a hook that rejects costs neither the page nor the process', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
  const onError = async (): Promise<void> => {
    throw new Error('the hook is broken, too');
  };
  const { app } = pageApp(undefined, { options: { cache: new RejectingCache(), onError } });
  await visit(app, '/page').expect('page 1');
  await settled();
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/hook is broken/), expect.anything());
  warn.mockRestore();
});
