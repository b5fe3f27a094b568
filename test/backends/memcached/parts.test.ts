import { randomBytes } from 'node:crypto';
import { CacheValueError, MemcachedCache } from 'cachewright';
import { Client } from 'memjs';
import {
  chunksOf,
  MAX_CHUNKS,
  newManifest,
  packManifest,
  unpackManifest,
} from '../../../src/backends/memcached/chunks';
import { KIND } from '../../../src/backends/memcached/item';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { say } from '../../support/text-protocol';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';

const DEADLINE = 5000;

describeWithServer('memcached', 'pages too large for one item', () => {
  let server: MemcachedServer;
  let cache: MemcachedCache;
  let raw: Client;

  beforeAll(async () => {
    server = await startMemcached({ memory: 256 });
  });
  afterAll(() => server.stop());

  beforeEach(() => {
    raw = Client.create(server.url);
    cache = open();
  });
  afterEach(async () => {
    await cache.close();
    raw.close();
  });

  function open(maxItemBytes?: number): MemcachedCache {
    return new MemcachedCache(server.url, {
      options:
        maxItemBytes === undefined ? UNHURRIED_MEMCACHED : { ...UNHURRIED_MEMCACHED, maxItemBytes },
    });
  }

  const write = (bytes: Buffer, key = 'page', timeout: number | null = 100) =>
    cache.setFrozen(key, { byteLength: bytes.length, toBytes: () => bytes }, timeout, DEADLINE);
  const read = (key = 'page') => cache.getFrozen(key, DEADLINE);

  async function manifest(key = ':1:page') {
    return unpackManifest((await raw.get(key)).value!)!;
  }

  /** Writes an item as it is, with these flags. */
  async function plant(key: string, flags: number, value: Buffer): Promise<void> {
    const client = Client.create(server.url, {
      serializer: {
        serialize: (_opcode, bytes: Buffer, extras: Buffer) => {
          extras.writeUInt32BE(flags, 0);
          return { value: bytes, extras };
        },
        deserialize: (_opcode, bytes, extras) => ({ value: bytes, extras }),
      },
    });
    await client.set(key, value, {});
    client.close();
  }

  test.each([0, 1, 1_000_000, 1_000_001, 2_000_000, 5_500_000, 20_000_000])(
    'of %d bytes are read as they were',
    async (length) => {
      const page = randomBytes(length);
      await write(page);
      expect((await read())!.equals(page)).toBe(true);
    },
  );

  test('are Buffers to get() and there for hasKey()', async () => {
    for (const length of [1000, 3_000_000]) {
      const page = randomBytes(length);
      await write(page);
      expect(await cache.hasKey('page')).toBe(true);
      expect(page.equals((await cache.get<Buffer>('page'))!)).toBe(true);
      expect(page.equals((await cache.getMany<Buffer>(['page'])).page!)).toBe(true);
    }
  });

  test('are gone once their key is deleted', async () => {
    await write(randomBytes(3_000_000));
    expect(await cache.deleteFrozen('page', DEADLINE)).toBe(true);
    expect(await read()).toBeUndefined();
    expect(await cache.deleteFrozen('page', DEADLINE)).toBe(false);
    await write(randomBytes(3_000_000));
    expect(await cache.delete('page')).toBe(true);
    expect(await read()).toBeUndefined();
  });

  test('that expire at once leave nothing', async () => {
    await write(randomBytes(2_000_000));
    await write(randomBytes(2_000_000), 'page', 0);
    expect(await read()).toBeUndefined();
  });

  test('are never made of the parts of two', async () => {
    const [one, other] = [Buffer.alloc(3_000_000, 1), Buffer.alloc(3_000_000, 2)];
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        await write(i % 2 === 0 ? one : other);
        const found = await read();
        expect(found === undefined || one.equals(found) || other.equals(found)).toBe(true);
      }),
    );
    await write(one);
    const first = await manifest();
    await write(other);
    const second = await manifest();
    expect(second.generation).not.toBe(first.generation);
    expect(other.equals((await read())!)).toBe(true);
  });

  test('are a miss if a part is missing, or is not as it was written', async () => {
    const spoilers: ((key: string) => Promise<unknown>)[] = [
      (key) => raw.delete(key),
      (key) => plant(key, KIND.chunk, Buffer.alloc(999_999)),
      (key) => plant(key, KIND.chunk, Buffer.alloc(1_000_001)),
      (key) => plant(key, KIND.page, Buffer.alloc(1_000_000)),
    ];
    for (const spoil of spoilers) {
      await write(randomBytes(3_000_000));
      expect(await read()).toHaveLength(3_000_000);
      await spoil(chunksOf(await manifest())[1]!.key);
      expect(await read()).toBeUndefined();
      expect(await cache.hasKey('page')).toBe(false);
    }
    // What was planted in the right form is taken: so the others failed by their form alone.
    await write(randomBytes(3_000_000));
    await plant(chunksOf(await manifest())[1]!.key, KIND.chunk, Buffer.alloc(1_000_000));
    expect(await read()).toHaveLength(3_000_000);
  });

  test('are a miss if the manifest cannot be one, at no cost', async () => {
    const honest = packManifest(newManifest(3_000_000, 1_000_000));
    const hostile: Buffer[] = [
      Buffer.alloc(0),
      honest.subarray(1),
      Buffer.concat([honest, Buffer.alloc(1)]),
      packManifest({ generation: 'ff'.repeat(16), length: 0xffff_ffff, chunkBytes: 1 }),
      packManifest({ generation: 'ff'.repeat(16), length: 0xffff_ffff, chunkBytes: 0 }),
      packManifest({ generation: 'ff'.repeat(16), length: 0, chunkBytes: 0 }),
      packManifest({ generation: 'ff'.repeat(16), length: MAX_CHUNKS + 1, chunkBytes: 1 }),
    ];
    for (const bytes of hostile) {
      expect(unpackManifest(bytes)).toBeUndefined();
      await plant(':1:page', KIND.manifest, bytes);
      expect(await read()).toBeUndefined();
    }
    expect(unpackManifest(honest)).toMatchObject({ length: 3_000_000, chunkBytes: 1_000_000 });
  });

  test('a claim of gigabytes allocates none', async () => {
    const claim = packManifest({
      generation: 'ff'.repeat(16),
      length: 0xffff_ffff,
      chunkBytes: 0x1000_0000,
    });
    expect(unpackManifest(claim)).toBeDefined();
    await plant(':1:page', KIND.manifest, claim);
    const alloc = jest.spyOn(Buffer, 'concat');
    expect(await read()).toBeUndefined();
    expect(alloc.mock.calls.filter(([, length]) => length === 0xffff_ffff)).toEqual([]);
    alloc.mockRestore();
  });

  test('a value of the low-level API is no page', async () => {
    await cache.set('page', Buffer.from('text'));
    expect(await read()).toBeUndefined();
  });

  test('are refused beyond their bound, and the old page is gone', async () => {
    await cache.close();
    cache = open(10);
    await write(Buffer.alloc(100));
    expect(await read()).toHaveLength(100);
    await write(Buffer.alloc(10 * MAX_CHUNKS));
    expect(await read()).toHaveLength(10 * MAX_CHUNKS);
    await expect(write(Buffer.alloc(10 * MAX_CHUNKS + 1))).rejects.toThrow(/maxItemBytes/);
    expect(await read()).toBeUndefined();
  });

  test('are refused where the server takes less than was said, and the old page is gone', async () => {
    await cache.close();
    cache = open(2_000_000);
    for (const length of [1_500_000, 3_000_000]) {
      await write(Buffer.alloc(100));
      expect(await read()).toHaveLength(100);
      await expect(write(Buffer.alloc(length))).rejects.toBeInstanceOf(CacheValueError);
      expect(await read()).toBeUndefined();
    }
  });

  test('expire at once, all parts of them', async () => {
    await write(Buffer.alloc(3_000_000), 'page', 1000);
    const keys = chunksOf(await manifest()).map(({ key }) => key);
    for (const key of [':1:page', ...keys]) {
      const left = Number(/ t(-?\d+)/.exec(await say(server, `mg ${key} t`))![1]);
      expect([999, 1000]).toContain(left);
    }
  });

  test.each([
    ['long', 'x'.repeat(300)],
    ['of spaces', 'my site'],
    ['of many bytes', '清'.repeat(90)],
    ['of half characters', '\ud83e'],
  ])('page keys under a prefix that is %s are taken (KEY-17)', async (_name, keyPrefix) => {
    const prefixed = new MemcachedCache(server.url, { keyPrefix });
    const bytes = Buffer.from('page');
    const frozen = { byteLength: 4, toBytes: () => bytes };
    await prefixed.setFrozen('page', frozen, 100, DEADLINE);
    expect(await prefixed.getFrozen('page', DEADLINE)).toEqual(bytes);
    expect(await prefixed.getFrozen('other', DEADLINE)).toBeUndefined();
    expect(await prefixed.acquireLease('lease', 'me', 10, DEADLINE)).toBe(true);
    expect(await prefixed.acquireLease('lease', 'you', 10, DEADLINE)).toBe(false);
    expect(await prefixed.deleteFrozen('page', DEADLINE)).toBe(true);
    await prefixed.setFrozen('page', frozen, 100, DEADLINE);
    await prefixed.deleteFrozenMany(['other', 'page'], DEADLINE);
    expect(await prefixed.getFrozen('page', DEADLINE)).toBeUndefined();
    await expect(prefixed.get('page')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
    await prefixed.close();
  });
});
