import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  BaseCache,
  cachePage,
  configureCaches,
  fetchFromCache,
  LocMemCache,
  type PageCacheFailure,
  updateCache,
} from 'cachewright';
import { ByteCache, RejectingCache, ThrowingCache } from '../support/backends';
import { runScript } from '../support/child';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, type Listener, STACKS, type Step } from '../support/stacks';
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
    const isPage = !args[0].startsWith('cachewright.');
    if (this.broken === 'set' && isPage) throw new Error('cannot write');
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
          // What could not be looked up is not stored either.
          expect(told.map(({ operation }) => operation)).toEqual(['read']);
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
    expect(told).toHaveLength(2);
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
  await visit(app, '/page').expect('page 2');
  await settled();
  await visit(app, '/page').expect('page 2');
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
    ]);
    clock.advance(61);
    await visit(app, '/page').expect(200);
    await settled();
    expect(warned()).toHaveLength(2);
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

describe('a handler that throws before it answers runs once, behind a backend that answers later', () => {
  const thrown = new Error('broken handler');
  const cache = new ByteCache('throwing-handler');
  let calls: number;
  const broken: Step = () => {
    calls += 1;
    throw thrown;
  };
  const mounted: [string, Step[]][] = [
    ['the pair', [updateCache({ cache }), fetchFromCache()]],
    ['cachePage()', [cachePage(60, { cache })]],
  ];
  beforeEach(() => {
    calls = 0;
    cache.entries.clear();
  });

  const frameworks = Object.entries(STACKS).filter(([stack]) => stack !== 'node:http');
  test.each(
    frameworks.flatMap(([stack, build]) =>
      mounted.map(([what, steps]) => [stack, what, build, steps] as const),
    ),
  )('on %s, which gets the error through %s', async (_stack, _what, build, steps) => {
    const told: unknown[] = [];
    // Known for an error handler by the number of its parameters.
    const sorry = (error: unknown, _req: unknown, res: ServerResponse, _next: unknown) => {
      told.push(error);
      res.statusCode = 500;
      res.end('sorry');
    };
    const app = build([...steps, broken, sorry as never]);
    await visit(app, '/page').expect(500, 'sorry');
    expect(told).toEqual([thrown]);
    expect(calls).toBe(1);
  });

  /** As on plain Node, where whoever calls gets what is thrown. */
  function chain(steps: readonly Step[], req: IncomingMessage, res: ServerResponse): unknown {
    const [step = broken, ...others] = steps;
    return step(req, res, () => chain(others, req, res));
  }

  test.each(mounted)('on plain Node, where %s returns a promise of it', async (_what, steps) => {
    const app: Listener = async (req, res) => {
      try {
        await chain(steps, req, res);
      } catch (error) {
        res.statusCode = 500;
        res.end((error as Error).message);
      }
    };
    await visit(app, '/page').expect(500, 'broken handler');
    expect(calls).toBe(1);
  });

  test('on plain Node, where nobody catches it, it ends the process as without the cache', async () => {
    const outcomes = await Promise.all(
      ['(req, res, next) => next()', 'cachePage(60, { cache: new Late() })'].map((first) =>
        runScript(`
          const { BaseCache, cachePage } = cachewright;
          class Late extends BaseCache {
            async get() {}
          }
          const first = ${first};
          let calls = 0;
          process.on('exit', () => console.log(calls));
          const server = require('node:http').createServer((req, res) => {
            first(req, res, () => {
              calls += 1;
              throw new Error('broken handler');
            });
          });
          server.listen(0, '127.0.0.1', () => {
            fetch('http://127.0.0.1:' + server.address().port).catch(() => {});
          });
        `).then(
          () => 'went on',
          ({ code, stdout, stderr }) => [code, stdout, stderr.includes('Error: broken handler')],
        ),
      ),
    );
    expect(outcomes).toEqual([
      [1, '1\n', true],
      [1, '1\n', true],
    ]);
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

test('a backend that fails as a HEAD confirms the stored page is reported, and writes go on', async () => {
  let isBroken = false;
  class Unconfirming extends LocMemCache {
    constructor(...args: ConstructorParameters<typeof LocMemCache>) {
      super(...args);
      const { tags } = this;
      const confirm = tags.confirm.bind(tags);
      tags.confirm = (...asked) => {
        if (isBroken) throw new Error('cannot confirm');
        return confirm(...asked);
      };
    }
  }
  const { told, onError } = collectFailures();
  const cache = new Unconfirming('confirming a HEAD');
  const { app, origin } = pageApp(
    (res) => {
      res.setHeader('Content-Length', 4);
      res.setHeader('ETag', '"1"');
      res.end('page');
    },
    { options: { cache, onError, seconds: 30 } },
  );
  await visit(app, '/page').expect('page');
  clock.advance(31);
  isBroken = true;
  await visit(app, '/page', 'head').expect(200);
  await settled();
  expect(told).toContainEqual(expect.objectContaining({ message: 'cannot confirm' }));
  isBroken = false;
  await visit(app, '/page').expect('page');
  await settled();
  await visit(app, '/page').expect('page');
  expect(origin.calls).toBe(3);
});
