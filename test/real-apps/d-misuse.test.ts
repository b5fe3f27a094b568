// Mistakes that are easy to make are told, and no request hangs.
import * as cachewright from 'cachewright';
import { catchWarnings } from '../support/process-warnings';
import {
  ask,
  HELD,
  type Loose,
  newApp,
  placesOf,
  serve,
  useful,
  useRealApps,
  Visitor,
} from './support';

useRealApps();

const {
  cacheApp,
  cacheControl,
  cachePage,
  configurePageCache,
  fetchFromCache,
  patchCacheControl,
  patchVaryHeaders,
  updateCache,
} = cachewright as Loose;

const warnings = catchWarnings();

/** Warnings of the process while `work` runs. */
async function warningsOf(work: () => unknown): Promise<string[]> {
  const before = warnings.length;
  await work();
  return warnings.slice(before).map(({ message }) => message);
}

/** Whether the developer is told: by an error as it is made, of a request, or by a warning. */
async function isTold(work: () => unknown): Promise<boolean> {
  let error: unknown;
  const told = await warningsOf(async () => {
    try {
      await work();
    } catch (thrown) {
      error = thrown;
    }
  });
  return error !== undefined || told.length > 0;
}

describe('D11: middleware that is mounted wrongly', () => {
  const page = (_req: Loose, res: Loose) => res.send('page');
  const MISTAKES: Record<string, (app: Loose) => void> = {
    'app.use(updateCache)': (app) => app.use(updateCache).get('/', page),
    'app.use(fetchFromCache)': (app) => app.use(fetchFromCache).get('/', page),
    'app.get(path, cachePage)': (app) => app.get('/', cachePage, page),
    'fetchFromCache forgotten': (app) => app.use(updateCache()).get('/', page),
    'updateCache forgotten': (app) => app.use(fetchFromCache()).get('/', page),
    'updateCache after fetchFromCache': (app) =>
      app.use(fetchFromCache()).use(updateCache()).get('/', page),
    'updateCache after a body was begun': (app) =>
      app
        .use((_req: Loose, res: Loose, next: () => void) => {
          res.write('begun ');
          next();
        })
        .use(updateCache())
        .use(fetchFromCache())
        .get('/', (_req: Loose, res: Loose) => res.end('page')),
  };
  for (const { framework } of placesOf(['pair'])) {
    for (const [name, mount] of Object.entries(MISTAKES)) {
      // `app.use(cacheApp(app))` is in test/page-cache/misuse.test.ts: it went round in circles.
      const mark = /cachePage|^updateCache (forgotten|after fetch)/.test(name) ? HELD : '';
      test(`D11 ${name} is told, and is answered [${framework}]${mark}`, async () => {
        const statuses: number[] = [];
        const isTellable = await isTold(async () => {
          const app = newApp(framework);
          mount(app);
          app.use((error: Error, _req: Loose, res: Loose, next: Loose) =>
            res.headersSent ? next(error) : res.status(500).send(error.message),
          );
          const site = await serve(app);
          for (let visits = 0; visits < 5; visits += 1) {
            statuses.push((await ask(site, '/', { timeoutMs: 3000 })).status);
          }
          if (statuses.includes(500)) throw new Error('The error handler was told.');
        });
        useful(() => expect(statuses).toHaveLength(5));
        useful(() => expect(isTellable).toBe(true));
      });
    }
  }
});

for (const { framework } of placesOf(['pair'])) {
  test(`D11 two answers before fetchFromCache are no mistake [${framework}]${HELD}`, async () => {
    const isTellable = await isTold(async () => {
      const app = newApp(framework);
      app.use(updateCache());
      app.get('/health', (_req: Loose, res: Loose) => {
        res.write('in ');
        res.write('good ');
        res.end('health');
      });
      app.use(fetchFromCache());
      const site = await serve(app);
      for (let visits = 0; visits < 2; visits += 1) await ask(site, '/health');
    });
    expect(isTellable).toBe(false);
  });
}

describe('D12: arguments that would not be heeded', () => {
  const make = (settings: object) =>
    cachewright.createCaches({ default: settings as Loose }).default;
  const MISTAKES: Record<string, () => unknown> = {
    "{ BACKEND: 'redis' }": () => make({ BACKEND: 'redis', LOCATION: 'redis://127.0.0.1:1' }),
    '{ TIMEOUT: 5 }': () => make({ TIMEOUT: 5 }),
    "{ KEY_PREFIX: 'x' }": () => make({ KEY_PREFIX: 'x' }),
    '{ timout: 5 }': () => make({ timout: 5 }),
    '{ options: { MAX_ENTRIES: 5 } }': () => make({ options: { MAX_ENTRIES: 5 } }),
    'cachePage(60, { key_prefix })': () => cachePage(60, { key_prefix: 'x' }),
    'updateCache({ secs })': () => updateCache({ secs: 5 }),
    'cacheApp(app, { CACHE_MIDDLEWARE_SECONDS })': () =>
      cacheApp(() => {}, { CACHE_MIDDLEWARE_SECONDS: 5 }),
    'configurePageCache({ key_prefix })': () => configurePageCache({ key_prefix: 'x' }),
    "cacheControl('private')": () => cacheControl('private'),
    "cacheControl(['no-store'])": () => cacheControl(['no-store']),
    'cacheControl(60)': () => cacheControl(60),
    "invalidateTags(x, 'soft')": () => make({}).invalidateTags(['a'], 'soft' as never),
    "deleteMany('ab')": () => make({}).deleteMany('ab'),
    'set(k, v, 60, 2)': () => make({}).set('k', 'v', 60, 2 as never),
    'add(k, v, 60, 2)': () => make({}).add('k', 'v', 60, 2 as never),
  };
  for (const [name, mistake] of Object.entries(MISTAKES)) {
    test(`D12 ${name} is told`, async () => {
      const isTellable = await isTold(mistake);
      useful(() => expect(isTellable).toBe(true));
    });
  }

  for (const { framework } of placesOf(['page'])) {
    test(`D12 helpers that are misused share nothing [${framework}]`, async () => {
      const app = newApp(framework);
      let made = 0;
      app.get('/control', cachePage(60), (_req: Loose, res: Loose) => {
        patchCacheControl(res, ['no-store']);
        res.send(`secret ${++made}`);
      });
      app.get('/vary', cachePage(60), (_req: Loose, res: Loose) => {
        patchVaryHeaders(res, 'Cookie');
        res.send(`secret ${++made}`);
      });
      app.use((error: Error, _req: Loose, res: Loose, _next: Loose) =>
        res.status(500).send(error.name),
      );
      const site = await serve(app);
      for (const path of ['/control', '/vary']) {
        const texts: string[] = [];
        for (const u of ['1', '2']) {
          texts.push(await new Visitor(site, { cookies: { u } }).text(path));
        }
        useful(() => expect(texts).toEqual(['TypeError', 'TypeError']));
      }
    });
  }

  test(`D12 what is right is not told of${HELD}`, async () => {
    const told = await warningsOf(async () => {
      const cache = make({ backend: 'locmem', timeout: 5, keyPrefix: 'x', version: 2 });
      await cache.set('k', 'v', 60, { version: 2 });
      await cache.deleteMany(['a', 'b']);
      updateCache({ seconds: 5 });
      cachePage(5, { keyPrefix: 'x' });
      cacheControl({ private: true });
    });
    expect(told).toEqual([]);
  });
});
