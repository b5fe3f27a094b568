import { fetchFromCache, invalidate, updateCache } from 'cachewright';
import express from 'express';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();

test('an invalidation is not forgotten while a page is made, whatever others follow', async () => {
  let release: () => void = () => {};
  let calls = 0;
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/a', async (_req, res) => {
    calls += 1;
    const call = calls;
    if (call === 1) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    res.send(`v${call}`);
  });
  const first = visit(app, '/a').then(({ text }) => text);
  while (calls === 0) await new Promise((resolve) => setImmediate(resolve));
  await invalidate('http://www.example.com/a');
  const flood = Array.from({ length: 10_001 }, (_, i) =>
    invalidate(`http://www.example.com/other/${i}`),
  );
  await Promise.all(flood);
  release();
  expect(await first).toBe('v1');
  await visit(app, '/a').expect('v2');
  await visit(app, '/a').expect('v2');
});

describe('an invalidation takes one command of each cache', () => {
  /** Tells of each removal how many keys it was for, and can be made to take its time. */
  class CountingCache extends ByteCache {
    readonly removals: number[] = [];
    begun: () => void = () => {};
    answered: Promise<void> = Promise.resolve();

    override async deleteMany(keys: Iterable<string>) {
      const all = [...keys];
      this.removals.push(all.length);
      this.begun();
      await this.answered;
      await super.deleteMany(all);
    }
  }

  function site(cache: CountingCache) {
    let calls = 0;
    const app = express();
    const options = {
      cache,
      writeTimeoutMs: 10_000,
      key: { segment: (req: { url?: string }) => req.url!.slice(3) },
    };
    app.use(updateCache(options), fetchFromCache());
    app.get('/a', (_req, res) => void res.send(`v${++calls}`));
    app.post('/a', (_req, res) => void res.send('done'));
    return app;
  }
  const url = (n: number) => `http://www.example.com/a?${n}`;

  test('however many segments there are', async () => {
    const caches = [new CountingCache('one-command'), new CountingCache('another-command')];
    for (const cache of caches) {
      const app = site(cache);
      for (const segment of [1, 2, 3]) await visit(app, `/a?${segment}`).expect(`v${segment}`);
      await settled();
    }
    await invalidate(url(1));
    for (const { removals } of caches) {
      expect(removals).toEqual([expect.any(Number)]);
      // A page for GET and one for HEAD, of each segment and of none.
      expect(removals[0]).toBeGreaterThanOrEqual(8);
    }
  });

  test('and those that come while it waits for its turn take none more', async () => {
    const cache = new CountingCache('flood');
    const app = site(cache);
    await visit(app, '/a?1').expect('v1');
    await settled();
    let answer: () => void = () => {};
    cache.answered = new Promise((resolve) => {
      answer = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      cache.begun = resolve;
    });
    const first = invalidate(url(1));
    await begun;
    // This one is under way already, and may have missed what was stored meanwhile.
    const flood = Array.from({ length: 1000 }, () => invalidate(url(1)));
    await settled();
    expect(cache.removals).toHaveLength(1);
    let isDone = false;
    void Promise.all(flood).then(() => {
      isDone = true;
    });
    answer();
    await first;
    expect(isDone).toBe(false);
    await Promise.all(flood);
    expect(cache.removals).toHaveLength(2);
    await visit(app, '/a?1').expect('v2');
  });

  test('a page that is stored after a removal was begun is removed by the next', async () => {
    const cache = new CountingCache('in-turn');
    const app = site(cache);
    let answer: () => void = () => {};
    cache.answered = new Promise((resolve) => {
      answer = resolve;
    });
    const removals = [invalidate(url(1))];
    await settled();
    await visit(app, '/a?1').expect('v1');
    removals.push(invalidate(url(1)));
    answer();
    await Promise.all(removals);
    await settled();
    expect(cache.removals).toHaveLength(2);
    await visit(app, '/a?1').expect('v2');
  });

  test('a cache that fails is reported once', async () => {
    class Failing extends CountingCache {
      override async deleteMany(): Promise<never> {
        throw new Error('cannot remove');
      }
    }
    const told: string[] = [];
    const app = express();
    const onError = (error: unknown) => void told.push((error as Error).message);
    app.use(updateCache({ cache: new Failing('failing'), onError }), fetchFromCache());
    await invalidate(url(1));
    expect(told).toEqual(['cannot remove']);
  });
});
