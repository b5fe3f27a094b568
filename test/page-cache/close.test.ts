import { type BaseCache, fetchFromCache, updateCache, type VersionOption } from 'cachewright';
import express from 'express';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

/** Says what it is asked, and whether that was after `close()`. */
class ClosingCache extends ByteCache {
  override readonly isShared = true;
  readonly late: string[] = [];
  readonly written: string[] = [];
  #isClosed = false;

  override async close() {
    await this.finishAll();
    this.#isClosed = true;
  }

  override get(key: string, fallback?: unknown, options?: VersionOption): Promise<never> {
    this.#note(`get ${key}`);
    return super.get(key, fallback, options);
  }

  override async set(...args: Parameters<BaseCache['set']>): Promise<void> {
    this.#note(`set ${args[0]}`);
    // Long after the visitor was answered.
    await pass(50);
    await super.set(...args);
    this.written.push(args[0]);
  }

  override delete(...args: Parameters<BaseCache['delete']>): Promise<boolean> {
    this.#note(`delete ${args[0]}`);
    return super.delete(...args);
  }

  #note(what: string): void {
    if (this.#isClosed) this.late.push(what);
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const longAfter = () => pass(500);

function site() {
  const cache = new ClosingCache(`closing ${Math.random()}`);
  const app = express();
  app.use(updateCache({ cache, storeCookies: false }), fetchFromCache());
  app.get('/private', (_req, res) => void res.set('Cache-Control', 'private').send('mine'));
  app.get('/stale', (_req, res) => {
    res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send('page');
  });
  app.all('/page', (_req, res) => void res.send('page'));
  return { app, cache };
}

test.each<[string, (app: express.Express) => Promise<unknown>, RegExp]>([
  ['a page is stored', (app) => visit(app, '/page').expect('page'), /^views\./],
  ['a lease is given up', (app) => visit(app, '/private').expect('mine'), /\.lease$/],
  ['a page is purged', (app) => visit(app, '/page', 'post').expect('page'), /tag\.u\./],
])('before close() is fulfilled %s, and nothing is asked later', async (_what, act, step) => {
  const { app, cache } = site();
  await act(app);
  await cache.close();
  expect(cache.written).toContainEqual(expect.stringMatching(step));
  await longAfter();
  expect(cache.late).toEqual([]);
});

test('a page is refreshed before close() is fulfilled', async () => {
  const { app, cache } = site();
  await visit(app, '/stale').expect('page');
  await longAfter();
  clock.advance(2);
  cache.written.length = 0;
  await visit(app, '/stale').expect('page');
  await cache.close();
  expect(cache.written).toContainEqual(expect.stringMatching(/^views\./));
  await longAfter();
  expect(cache.late).toEqual([]);
});
