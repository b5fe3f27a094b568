import {
  type CacheFailure,
  CacheKeyNotFoundError,
  CacheUnavailableError,
  CacheValueError,
  MemcachedCache,
  type MemcachedOptions,
} from 'cachewright';
import { Client } from 'memjs';
import { runScript } from '../../support/child';
import { eventually } from '../../support/eventually';
import { catchWarnings } from '../../support/process-warnings';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { say } from '../../support/text-protocol';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';

const TOO_LARGE = 'x'.repeat(1_100_000);

describeWithServer('memcached', 'MemcachedCache', () => {
  let server: MemcachedServer;
  let others: MemcachedServer[];
  let cache: MemcachedCache;
  const opened: MemcachedCache[] = [];

  beforeAll(async () => {
    [server, ...others] = (await Promise.all([
      startMemcached(),
      startMemcached(),
      startMemcached(),
    ])) as [MemcachedServer, ...MemcachedServer[]];
  });
  afterAll(() => Promise.all([server, ...others].map((one) => one.stop())));

  beforeEach(async () => {
    cache = open();
    await cache.clear();
  });
  afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

  function open(options: MemcachedOptions = {}, location: string | string[] = server.url) {
    const made = new MemcachedCache(location, { options: { ...UNHURRIED_MEMCACHED, ...options } });
    opened.push(made);
    return made;
  }

  function openThree(options?: MemcachedOptions): MemcachedCache {
    return open(
      options,
      [server, ...others].map(({ url }) => url),
    );
  }

  async function stat(to: MemcachedServer, name: string): Promise<number> {
    return Number(new RegExp(`STAT ${name} (\\d+)`).exec(await say(to, 'stats'))![1]);
  }

  describe('several servers', () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);

    test('are one cache, with each entry on one of them (MEMC-03)', async () => {
      const three = openThree();
      await three.clear();
      await three.setMany(Object.fromEntries(keys.map((key, i) => [key, i])));
      const counts = await Promise.all([server, ...others].map((one) => stat(one, 'curr_items')));
      expect(counts.reduce((sum, count) => sum + count)).toBe(100);
      for (const count of counts) expect(count).toBeGreaterThan(10);
      expect(Object.keys(await three.getMany(keys))).toHaveLength(100);
      const again = openThree();
      expect(await again.get('key42')).toBe(42);
      await three.deleteMany(keys);
      expect(await three.getMany(keys)).toEqual({});
    });

    test('are all emptied by clear() (MEMC-12)', async () => {
      const three = openThree();
      await three.setMany(Object.fromEntries(keys.map((key, i) => [key, i])));
      await three.clear();
      expect(await three.getMany(keys)).toEqual({});
      for (const one of [server, ...others]) {
        expect(await open({}, one.url).getMany(keys)).toEqual({});
      }
    });

    test('one that restarts has lost its entries, and no other has (MEMC-03)', async () => {
      const three = openThree();
      await three.clear();
      await three.setMany(Object.fromEntries(keys.map((key, i) => [key, i])));
      const lost = await stat(others[0]!, 'curr_items');
      await others[0]!.restart();
      const left = await eventually(() => three.getMany(keys));
      expect(Object.keys(left)).toHaveLength(100 - lost);
    });

    test('one named twice is one (MEMC-01)', async () => {
      const twice = open({}, [server.url, server.url]);
      await twice.set('key', 'value');
      expect(await twice.get('key')).toBe('value');
    });
  });

  describe('timeouts', () => {
    test('reach the server as it counts them (MEMC-05)', async () => {
      await cache.setMany({ a: 1, b: 1 }, 100.9);
      await cache.set('lasting', 1, null);
      await cache.set('year', 1, 31_536_000);
      await cache.set('touched', 1, null);
      await cache.touch('touched', 31_536_000);
      const left = async (key: string) =>
        Number(/ t(-?\d+)/.exec(await say(server, `mg :1:${key} t`))![1]);
      for (const key of ['a', 'b']) expect([99, 100]).toContain(await left(key));
      expect(await left('lasting')).toBe(-1);
      for (const key of ['year', 'touched']) {
        expect(Math.abs((await left(key)) - 31_536_000)).toBeLessThan(5);
      }
    });

    test('below a second end an entry at once (MEMC-05)', async () => {
      await cache.set('key', 'old');
      await cache.set('key', 'new', 0.9);
      expect(await cache.get('key')).toBeUndefined();
      expect(await cache.add('key', 'value', 0.9)).toBe(true);
      expect(await cache.get('key')).toBeUndefined();
    });
  });

  describe('a value that the server refuses', () => {
    test.each(['x'.repeat(1_100_000), Buffer.alloc(5_000_000)])(
      'leaves no old value (MEMC-06)',
      async (tooLarge) => {
        await cache.set('key', 'small');
        const refused = cache.set('key', tooLarge);
        await expect(refused).rejects.toBeInstanceOf(CacheValueError);
        await expect(refused).rejects.toMatchObject({
          key: 'key',
          message: expect.stringMatching(/"key".*too large.*-I/s),
        });
        expect(await cache.get('key')).toBeUndefined();
        expect(await cache.hasKey('key')).toBe(false);
        // The connection is in step all the same.
        await cache.set('key', 'next');
        expect(await cache.get('key')).toBe('next');
      },
    );

    test('leaves what add() found (MEMC-06)', async () => {
      await expect(cache.add('key', TOO_LARGE)).rejects.toBeInstanceOf(CacheValueError);
      expect(await cache.get('key')).toBeUndefined();
    });

    test('is told of by setMany(), by the key of the caller (MEMC-07, API-07)', async () => {
      for (const one of [cache, openThree()]) {
        const failed = await one.setMany({ small: 1, large: TOO_LARGE, other: 2, huge: TOO_LARGE });
        expect(failed.sort()).toEqual(['huge', 'large']);
        expect(await one.getMany(['small', 'large', 'other'])).toEqual({ small: 1, other: 2 });
      }
    });

    test('is no sign of a server that is down', async () => {
      for (let i = 0; i < 10; i += 1) await cache.set('key', TOO_LARGE).catch(() => {});
      expect(await cache.add('key', 'value')).toBe(true);
    });
  });

  test('add(), touch() and delete() say whether they did it (MEMC-08)', async () => {
    expect(await cache.add('key', 1)).toBe(true);
    expect(await cache.add('key', 2)).toBe(false);
    expect(await cache.touch('key', 100)).toBe(true);
    expect(await cache.touch('missing', 100)).toBe(false);
    expect(await cache.delete('key')).toBe(true);
    expect(await cache.delete('key')).toBe(false);
    await cache.set('key', 1);
    expect(await cache.touch('key', 0)).toBe(true);
    expect(await cache.touch('key', 0)).toBe(false);
    expect(await cache.get('key')).toBeUndefined();
  });

  describe('counters', () => {
    test('take deltas below zero for the opposite (MEMC-09)', async () => {
      await cache.set('key', 41);
      expect(await cache.incr('key', -40)).toBe(1);
      expect(await cache.decr('key', -40)).toBe(41);
      for (const method of ['incr', 'decr'] as const) {
        for (const delta of [1, -1]) {
          await expect(cache[method]('missing', delta)).rejects.toBeInstanceOf(
            CacheKeyNotFoundError,
          );
        }
      }
      expect(await cache.hasKey('missing')).toBe(false);
    });

    test('are numbers again when read (MEMC-10)', async () => {
      await cache.set('key', 41);
      expect(await cache.incr('key')).toBe(42);
      expect(await cache.get('key')).toBe(42);
      await cache.set('text', '41');
      await expect(cache.incr('text')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
      expect(await cache.get('text')).toBe('41');
    });

    test('are read with fewer digits than they had (MEMC-10)', async () => {
      await cache.set('key', 1000);
      expect(await cache.decr('key', 999)).toBe(1);
      expect(await say(server, 'get :1:key')).toContain('1   \r\n');
      expect(await cache.get('key')).toBe(1);
      expect(await cache.getMany(['key'])).toEqual({ key: 1 });
      expect(await cache.incr('key')).toBe(2);
    });

    test('below zero cannot be counted, and are left (MEMC-10)', async () => {
      await cache.set('key', -5);
      await expect(cache.incr('key', 10)).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
      expect(await cache.get('key')).toBe(-5);
    });

    test('are exact beyond 32 bits, and say so where they cannot be (MEMC-10)', async () => {
      await cache.set('key', 2 ** 33);
      expect(await cache.incr('key', 2 ** 34)).toBe(2 ** 33 + 2 ** 34);
      await cache.set('key', Number.MAX_SAFE_INTEGER - 1);
      expect(await cache.incr('key')).toBe(Number.MAX_SAFE_INTEGER);
      await expect(cache.incr('key')).rejects.toThrow(/9007199254740992/);
    });

    test('of two processes all count (MEMC-10, API-23)', async () => {
      await cache.set('key', 0, null);
      const script = `
        const cache = new cachewright.MemcachedCache(${JSON.stringify(server.url)}, {
          options: ${JSON.stringify(UNHURRIED_MEMCACHED)},
        });
        (async () => {
          for (let i = 0; i < 100; i += 1) {
            await Promise.all(Array.from({ length: 100 }, () => cache.incr('key')));
          }
          await cache.close();
        })();`;
      await Promise.all([runScript(script), runScript(script)]);
      expect(await cache.get('key')).toBe(20_000);
    });
  });

  describe('keys', () => {
    const nowhere = new MemcachedCache('127.0.0.1:1');

    const calls: Record<string, (key: string) => Promise<unknown>> = {
      get: (key) => nowhere.get(key),
      set: (key) => nowhere.set(key, 1),
      add: (key) => nowhere.add(key, 1),
      touch: (key) => nowhere.touch(key),
      delete: (key) => nowhere.delete(key),
      incr: (key) => nowhere.incr(key),
      decr: (key) => nowhere.decr(key),
      hasKey: (key) => nowhere.hasKey(key),
      getOrSet: (key) => nowhere.getOrSet(key, 1),
      getMany: (key) => nowhere.getMany(['good', key]),
      setMany: (key) => nowhere.setMany({ good: 1, [key]: 1 }),
      deleteMany: (key) => nowhere.deleteMany(['good', key]),
      incrVersion: (key) => nowhere.incrVersion(key),
    };

    test.each(Object.keys(calls))(
      '%s() refuses a bad one before it asks any server (MEMC-11, KEY-17)',
      async (method) => {
        for (const key of ['a b', 'line\n', '\u007f', 'k'.repeat(248)]) {
          await expect(calls[method]!(key)).rejects.toMatchObject({
            name: 'InvalidCacheKeyError',
            code: 'ERR_CACHE_KEY',
            key: `:1:${key}`,
          });
        }
        await expect(calls[method]!('good')).rejects.toBeInstanceOf(CacheUnavailableError);
      },
    );

    test('are counted in bytes (KEY-19)', async () => {
      const longest = '清'.repeat(82);
      await cache.set(`${longest}a`, 'value');
      expect(await cache.get(`${longest}a`)).toBe('value');
      await expect(cache.set(`${longest}ab`, 'value')).rejects.toMatchObject({
        code: 'ERR_CACHE_KEY',
        message: expect.stringMatching(/251 bytes.*250/),
      });
    });

    test('with half a character are refused, as all halves are sent alike (KEY-19)', async () => {
      await expect(cache.set('\ud83e', 1)).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
    });

    test('may not be empty', async () => {
      const verbatim = new MemcachedCache(server.url, {
        keyFunction: (key) => key,
        options: UNHURRIED_MEMCACHED,
      });
      opened.push(verbatim);
      await expect(verbatim.get('')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
      await verbatim.set('constructor', 1);
      expect(await verbatim.getMany(['constructor', '__proto__'])).toEqual({ constructor: 1 });
    });

    test('are for a subclass to judge (KEY-20)', async () => {
      class Lenient extends MemcachedCache {
        override validateKey() {}
      }
      const lenient = new Lenient(server.url, { options: UNHURRIED_MEMCACHED });
      opened.push(lenient);
      await lenient.set('key with spaces', 'value');
      expect(await lenient.get('key with spaces')).toBe('value');
    });
  });

  describe('connections', () => {
    test('are made by the first operation (MEMC-15)', async () => {
      const before = await stat(server, 'total_connections');
      const lazy = open();
      lazy.makeKey('key');
      // The connection that asks, and nothing else.
      expect(await stat(server, 'total_connections')).toBe(before + 1);
      await lazy.get('key');
      expect(await stat(server, 'total_connections')).toBe(before + 3);
    });

    test('are no more than maxPoolSize, and one where one will do (MEMC-04)', async () => {
      const pooled = open({ maxPoolSize: 3 });
      const before = await stat(server, 'total_connections');
      let asked = 0;
      // Less those over which this was asked.
      const opened = async () => (await stat(server, 'total_connections')) - before - ++asked;
      const getMuch = () =>
        Promise.all(Array.from({ length: 50 }, (_, i) => pooled.get(`key${i}`)));
      for (let i = 0; i < 10; i += 1) await pooled.get('key');
      expect(await opened()).toBe(1);
      await getMuch();
      // They are opened behind what is asked, and the last perhaps after it was answered.
      await eventually(async () => expect(await opened()).toBe(3));
      await getMuch();
      await getMuch();
      expect(await opened()).toBe(3);
    });

    test('keep the order of what is asked for one key', async () => {
      const pooled = open({ maxPoolSize: 4 });
      const large = Buffer.alloc(900_000);
      for (let round = 0; round < 20; round += 1) {
        const rest = [1, 2, 3].map((i) => pooled.set(`other${i}`, i));
        const outcomes = await Promise.all([
          pooled.set('key', large),
          pooled.set('key', round),
          pooled.get('key'),
          pooled.delete('key'),
          pooled.get('key'),
        ]);
        await Promise.all(rest);
        expect(outcomes.slice(2)).toEqual([round, true, undefined]);
      }
    });

    test('are closed by close(), and opened again (API-38, MEMC-13)', async () => {
      // Connections of others may come and go at any time.
      const own = await startMemcached();
      const count = () => stat(own, 'curr_connections');
      const before = await count();
      const closing = open({}, own.url);
      await closing.set('key', 'value');
      await eventually(async () => expect(await count()).toBe(before + 1));
      await closing.close();
      await eventually(async () => expect(await count()).toBe(before));
      expect(await closing.get('key')).toBe('value');
      await closing.close();
      await own.stop();
    });

    test('are closed once what is under way is done', async () => {
      const closing = open();
      const under = Promise.all([closing.set('a', 1), closing.incr('a'), closing.get('a')]);
      await closing.close();
      expect(await under).toEqual([undefined, 2, 2]);
    });

    test('that are closed do not keep the process alive', async () => {
      const { stdout } = await runScript(`
        const cache = new cachewright.MemcachedCache([${JSON.stringify(server.url)}, '127.0.0.1:1']);
        (async () => {
          await Promise.allSettled(Array.from({ length: 40 }, (_, i) => cache.set('key' + i, i)));
          await cache.close();
          console.log('closed');
        })();`);
      expect(stdout).toBe('closed\n');
    });

    test('heed no user of the environment', async () => {
      const { stdout } = await runScript(`
        process.env.MEMCACHE_USERNAME = process.env.MEMCACHIER_USERNAME = 'me';
        process.env.MEMCACHE_PASSWORD = process.env.MEMCACHIER_PASSWORD = 'secret';
        process.env.MEMCACHE_SERVERS = '127.0.0.1:1';
        const net = require('node:net');
        const asked = [];
        const server = net.createServer((socket) => {
          socket.on('data', (bytes) => {
            asked.push(bytes[1]);
            socket.destroy();
          });
        });
        server.listen(0, '127.0.0.1', async () => {
          const cache = new cachewright.MemcachedCache('127.0.0.1:' + server.address().port);
          await cache.get('key').catch(() => {});
          await cache.close();
          server.close();
          console.log(asked.join());
        });`);
      // A get, and no question for ways to log in (0x20).
      expect(stdout).toBe('0\n');
    });
  });

  describe('a ready-made client', () => {
    let client: Client;
    beforeEach(() => {
      const names = [server, ...others].map(({ url }) => url);
      client = Client.create(names.join(), { logger: { log: () => {} } });
    });
    afterEach(() => client.close());

    test('is used, and left open by close() (MEMC-13)', async () => {
      const handed = new MemcachedCache(client, { options: UNHURRIED_MEMCACHED });
      await handed.clear();
      await handed.setMany({ a: 1, b: 'two', c: null });
      expect(await handed.getMany(['a', 'b', 'c', 'd'])).toEqual({ a: 1, b: 'two', c: null });
      expect(await handed.incr('a')).toBe(2);
      await handed.close();
      // Keys are placed as the client does it.
      expect(String((await client.get(':1:a')).value)).toBe('2');
      expect(await handed.get('b')).toBe('two');
      await handed.clear();
      expect((await client.get(':1:a')).value).toBeNull();
    });

    test('fails in time, and serves others meanwhile', async () => {
      const lone = Client.create('127.0.0.1:1', { logger: { log: () => {} } });
      const handed = new MemcachedCache(lone, { options: UNHURRIED_MEMCACHED });
      await expect(handed.get('key')).rejects.toBeInstanceOf(CacheUnavailableError);
      await expect(handed.get('key')).rejects.toThrow('127.0.0.1:1');
      await handed.close();
    });
  });

  describe('a server that is not there', () => {
    const warnings = catchWarnings();

    test('is an error that names it (MEMC-14)', async () => {
      const gone = open({}, '127.0.0.1:1');
      const calls = [
        () => gone.get('key'),
        () => gone.set('key', 1),
        () => gone.incr('key'),
        () => gone.clear(),
      ];
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({
          name: 'CacheUnavailableError',
          reason: 'refused',
          message: expect.stringMatching(/^Memcached at 127\.0\.0\.1:1: .*ECONNREFUSED/),
        });
      }
      expect(warnings).toEqual([]);
    });

    test.each<[string, MemcachedOptions]>([
      ['ignoreExc', { ignoreExc: true }],
      ["onError: 'miss'", { onError: 'miss' }],
    ])('is a miss with %s (MEMC-04, MEMC-14)', async (_name, option) => {
      const failures: CacheFailure[] = [];
      const onFailure = (error: unknown, failure: CacheFailure) => {
        expect(error).toBeInstanceOf(CacheUnavailableError);
        failures.push(failure);
      };
      const gone = open({ ...option, onFailure }, '127.0.0.1:1');
      expect(await gone.get('key', 'fallback')).toBe('fallback');
      expect(await gone.set('key', 1)).toBeUndefined();
      expect(await gone.add('key', 1)).toBe(false);
      expect(await gone.touch('key')).toBe(false);
      expect(await gone.delete('key')).toBe(false);
      expect(await gone.hasKey('key')).toBe(false);
      expect(await gone.getMany(['a', 'b'])).toEqual({});
      expect(await gone.setMany({ a: 1, b: 2 })).toEqual(['a', 'b']);
      expect(await gone.deleteMany(['a'])).toBeUndefined();
      expect(await gone.getOrSet('key', () => 'made')).toBe('made');
      await expect(gone.incr('key')).rejects.toBeInstanceOf(CacheKeyNotFoundError);
      await expect(gone.clear()).rejects.toBeInstanceOf(CacheUnavailableError);
      expect(failures.slice(0, 3)).toEqual([
        { operation: 'get', key: 'key' },
        { operation: 'set', key: 'key' },
        { operation: 'add', key: 'key' },
      ]);
    });

    test('costs its own keys and no others (MEMC-14)', async () => {
      const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
      const location = [server.url, '127.0.0.1:1', others[0]!.url];
      const partly = open({ ignoreExc: true, onFailure: () => {} }, location);
      const failed = await partly.setMany(Object.fromEntries(keys.map((key) => [key, 1])));
      expect(failed.length).toBeGreaterThan(10);
      expect(failed.length).toBeLessThan(60);
      const found = Object.keys(await partly.getMany(keys));
      expect([...found, ...failed].sort()).toEqual([...keys].sort());
      const strict = open({}, location);
      const set = strict.setMany(Object.fromEntries(keys.map((key) => [key, 2])));
      await expect(set).rejects.toBeInstanceOf(CacheUnavailableError);
      await expect(strict.getMany(keys)).rejects.toBeInstanceOf(CacheUnavailableError);
      // The others had been written all the same, and stay open after ten failures.
      for (let i = 0; i < 10; i += 1) await strict.getMany(keys).catch(() => {});
      for (const key of found) expect(await strict.get(key)).toBe(2);
    });
  });

  test('a stored null is no miss, and delete() of a missing key is false (MEMC-16)', async () => {
    await cache.set('key', null);
    expect(await cache.get('key', 'fallback')).toBeNull();
    expect(await cache.add('key', 1)).toBe(false);
    expect(await cache.delete('missing')).toBe(false);
  });

  // Other clients have kinds of their own in the flags: 1 is a pickle, 2 an integer, …
  test.each([0, 1, 2, 3, 16])(
    'an entry of somebody else is reported, and a miss: flags %d',
    async (flags) => {
      const onFailure = jest.fn();
      const reporting = open({ onFailure });
      await say(server, `set :1:key ${flags} 0 7\r\nforeign`);
      expect(await reporting.get('key', 'fallback')).toBe('fallback');
      expect(await reporting.getMany(['key'])).toEqual({});
      expect(onFailure.mock.calls.map(([, failure]) => failure)).toEqual([
        { operation: 'get', key: 'key' },
        { operation: 'getMany', key: 'key' },
      ]);
    },
  );

  test('a serializer of the options takes the place of the default one (MEMC-04)', async () => {
    const json = open({ serializer: 'json' });
    await json.set('key', { a: 1 });
    expect(await say(server, 'get :1:key')).toContain('{"a":1}');
    expect(await json.get('key')).toEqual({ a: 1 });
  });

  test('keys in other scripts are fine (MEMC-04)', async () => {
    await cache.set('ключ清', 'value');
    expect(await cache.getMany(['ключ清'])).toEqual({ ключ清: 'value' });
  });

  test.each([
    [{ ignoreExc: 'yes' }, /ignoreExc is "yes"\. Give true or false/],
    [{ noDelay: 'no' }, /noDelay is "no"/],
    [{ keepAlive: 1 }, /keepAlive is 1/],
    [{ maxPoolSize: 0 }, /maxPoolSize/],
    [{ maxPoolSize: 1.5 }, /maxPoolSize/],
    [{ connectTimeoutMs: -1 }, /connectTimeoutMs/],
    [{ maxItemBytes: Number.NaN }, /maxItemBytes/],
    [{ username: 'me' }, /password/],
    [{ ignoreExc: true, onError: 'throw' }, /ignoreExc/],
  ] as const)('%j makes no sense', (options, message) => {
    expect(() => new MemcachedCache(server.url, { options })).toThrow(message);
  });
});

describeWithServer('memcached-sasl', 'MemcachedCache with a user', () => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await startMemcached({ sasl: { username: 'me', password: 'p@ss,word' } });
  });
  afterAll(() => server.stop());

  test.each<[string, () => MemcachedCache]>([
    [
      'in the location',
      () => new MemcachedCache(`me:p%40ss%2Cword@${server.url}`, { options: UNHURRIED_MEMCACHED }),
    ],
    [
      'in the options',
      () =>
        new MemcachedCache(server.url, {
          options: { ...UNHURRIED_MEMCACHED, username: 'me', password: 'p@ss,word' },
        }),
    ],
  ])('logs in with user and password %s', async (_name, open) => {
    const cache = open();
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
    await cache.close();
  });

  test.each([
    ['a wrong password', { username: 'me', password: 'wrong' }],
    ['no user', {}],
  ])('%s is an error that says so', async (_name, options) => {
    const cache = new MemcachedCache(server.url, {
      options: { ...UNHURRIED_MEMCACHED, ...options },
    });
    await expect(cache.get('key')).rejects.toThrow(/authentication failed/);
    await cache.close();
  });
});
