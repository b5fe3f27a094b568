import { setTimeout as delay } from 'node:timers/promises';
import { type CacheSettings, caches } from 'cachewright';
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
});
