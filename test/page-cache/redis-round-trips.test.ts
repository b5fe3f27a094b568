import { setTimeout as delay } from 'node:timers/promises';
import { type CacheSettings, caches } from 'cachewright';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { type RecordingProxy, recordingProxy } from '../support/recording-proxy';
import { redisCalls, resetCalls } from '../support/redis-calls';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { askRedis } from '../support/servers/redis-client';
import { settled } from '../support/settled';
import { UNHURRIED } from '../support/unhurried';
import { visit } from '../support/visit';

describeWithServer('redis', 'what a page hit asks of Redis', () => {
  let server: RedisServer;
  let proxy: RecordingProxy;

  beforeAll(async () => {
    server = await startRedis();
    proxy = await recordingProxy(server);
  });
  afterEach(() => caches.closeAll());
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  freshCaches({
    get default(): CacheSettings {
      return { backend: 'redis', location: proxy.url, options: UNHURRIED };
    },
  });

  /** Visits until the page is stored and hit, then once more, and tells what that took. */
  async function hit(app: Parameters<typeof visit>[0], headers: Record<string, string> = {}) {
    for (let i = 0; ; i++) {
      const { headers: got } = await visit(app, '/page').set(headers);
      if (got.age !== undefined) break;
      if (i === 100) throw new Error('The page was never stored.');
    }
    // Whoever rendered it lets go of its lease when the page is stored.
    while (((await askRedis(server, 'KEYS', '*.lease')) as string[]).length > 0) await settled();
    await delay(50);
    await resetCalls(server);
    proxy.reset();
    const { body } = await visit(app, '/page').set(headers);
    return {
      calls: await redisCalls(server),
      roundTrips: proxy.roundTrips(),
      sent: proxy.sent(),
      body,
    };
  }

  test('the page and the counters of its tags in one round trip, if it does not vary', async () => {
    const page = Buffer.alloc(100_000, 'page ');
    const { app, origin } = pageApp((res) => {
      res.setHeader('Content-Type', 'application/octet-stream');
      res.end(page);
    });
    const { calls, roundTrips, sent, body } = await hit(app);
    expect(body).toEqual(page);
    expect(calls).toEqual({ get: 1, mget: 1 });
    expect(roundTrips).toBe(1);
    const word = '\\$\\d+\\r\\n\\S+\\r\\n';
    const mget = `\\*\\d\\r\\n\\$4\\r\\nmget\\r\\n(${word})+`;
    const get = `\\*2\\r\\n\\$3\\r\\nget\\r\\n${word}`;
    expect(sent).toMatch(new RegExp(`^${mget}${get}$`));
    expect(origin.calls).toBe(1);
  });

  test('and no more for one with tags of its own, once this process knows them', async () => {
    const { app } = pageApp((res) => {
      (res as unknown as { cacheTags(tag: string): void }).cacheTags('product:7');
      res.end('page');
    });
    await hit(app);
    const { calls, roundTrips } = await hit(app);
    expect(calls).toEqual({ get: 1, mget: 1 });
    expect(roundTrips).toBe(1);
  });

  test('one round trip more for a page that varies', async () => {
    const { app, origin } = pageApp((res, _call, req) => {
      res.setHeader('Vary', 'X-Lang');
      res.end(`in ${req.headers['x-lang']}`);
    });
    const { calls, roundTrips } = await hit(app, { 'x-lang': 'de' });
    expect(calls).toEqual({ get: 2, mget: 1 });
    expect(roundTrips).toBe(2);
    expect(origin.calls).toBe(1);
  });

  test('a miss takes eleven commands, and to delete a page takes two', async () => {
    const { app, origin } = pageApp();
    // Its scripts are sent, and the counters made, that others find there.
    await hit(app);
    const key = ((await askRedis(server, 'KEYS', '*cache_page*')) as string[])[0]!;
    const remove = async () => {
      await resetCalls(server);
      await caches.default.delete(key.replace(/^.*?:1:/, ''));
      return redisCalls(server);
    };
    expect(await remove()).toEqual({ set: 1, unlink: 1 });
    proxy.reset();
    await visit(app, '/page');
    await eventually(async () => {
      expect(await askRedis(server, 'KEYS', '*cache_page*')).toEqual([key]);
    });
    await settled();
    const commands = proxy.sent().match(/\*\d+\r\n\$\d+\r\n[a-z]+/g)!;
    const counts: Record<string, number> = {};
    for (const command of commands) {
      const name = command.split('\n').at(-1)!;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    // The lease is taken, and asked after and given back by scripts; others open the page's place,
    // and put it there. Page and counters are looked up twice, and noted and confirmed.
    expect(counts).toEqual({ get: 2, mget: 4, set: 1, evalsha: 4 });
    expect(origin.calls).toBe(2);
  });

  test('a purge asks as much for a tag on one page as for one on hundreds', async () => {
    const { app, origin } = pageApp((res, call, req) => {
      const { cacheTags } = res as unknown as { cacheTags(...tags: string[]): void };
      cacheTags.call(res, 'on all', `of ${req.url}`);
      res.end(`page ${call}`);
    });
    const paths = Array.from({ length: 200 }, (_, i) => `/shop/${i}`);
    const keysLike = async (pattern: string) =>
      (await askRedis(server, 'KEYS', pattern)) as string[];
    await eventually(async () => {
      // A few at a time: a lease does not last for longer than a page may take.
      for (let i = 0; i < paths.length; i += 20) {
        await Promise.all(paths.slice(i, i + 20).map((path) => visit(app, path)));
      }
      expect(await keysLike('*.lease')).toEqual([]);
      expect(await keysLike('*cache_page*')).toHaveLength(paths.length);
    });
    const made = origin.calls;
    const purge = async (tag: string) => {
      await resetCalls(server);
      await caches.default.invalidateTags([tag]);
      return redisCalls(server);
    };
    // The first sends the text of a script.
    await purge('warm-up');
    const ofOne = await purge('of /shop/7');
    await visit(app, '/shop/8');
    expect(origin.calls).toBe(made);
    const ofAll = await purge('on all');
    expect(ofAll).toEqual(ofOne);
    expect(ofAll).toMatchObject({ set: 3, incrby: 1 });
    for (const path of paths.slice(0, 20)) await visit(app, path);
    expect(origin.calls).toBe(made + 20);
  });
});
