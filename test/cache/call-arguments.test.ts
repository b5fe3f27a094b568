import { type BaseCache, createCaches, DummyCache, FileBasedCache, LocMemCache } from 'cachewright';
import { catchWarnings } from '../support/process-warnings';
import { tempDirectories } from '../support/temp-directory';

const makeDirectory = tempDirectories();
catchWarnings();

/** A cache as JavaScript sees it, which takes whatever it is given. */
type Untyped = Record<string, (...args: unknown[]) => Promise<unknown>>;

describe.each<[string, () => BaseCache]>([
  ['LocMemCache', () => new LocMemCache('call arguments')],
  ['FileBasedCache', () => new FileBasedCache(makeDirectory())],
  ['DummyCache', () => new DummyCache()],
  ['a tier', () => tier()],
])('%s refuses arguments that it would not heed (D12)', (_name, make) => {
  test.each<[call: string, run: (cache: Untyped) => unknown, remedy: string]>([
    [
      "set('k', 'v', 60, 2)",
      (c) => c.set!('k', 'v', 60, 2),
      'set() got 2 for its options. Give an object: { version: 2 }.',
    ],
    ["add('k', 'v', 60, 2)", (c) => c.add!('k', 'v', 60, 2), 'add() got 2 for its options'],
    [
      "getOrSet('k', f, 60, 2)",
      (c) => c.getOrSet!('k', () => 'v', 60, 2),
      'getOrSet() got 2 for its',
    ],
    ["get('k', null, 2)", (c) => c.get!('k', null, 2), 'get() got 2 for its options'],
    ["get('k', undefined, null)", (c) => c.get!('k', undefined, null), 'get() got null for its'],
    ["touch('k', 60, 2)", (c) => c.touch!('k', 60, 2), 'touch() got 2 for its options'],
    ["delete('k', 2)", (c) => c.delete!('k', 2), 'delete() got 2 for its options'],
    ["hasKey('k', 2)", (c) => c.hasKey!('k', 2), 'hasKey() got 2 for its options'],
    ["incr('k', 1, 2)", (c) => c.incr!('k', 1, 2), 'incr() got 2 for its options'],
    ["decr('k', 1, 'v2')", (c) => c.decr!('k', 1, 'v2'), 'Give an object: { version: "v2" }.'],
    ["incrVersion('k', 1, 2)", (c) => c.incrVersion!('k', 1, 2), 'incrVersion() got 2 for its'],
    ["getMany(['k'], 2)", (c) => c.getMany!(['k'], 2), 'getMany() got 2 for its options'],
    ['setMany({ k: 1 }, 60, 2)', (c) => c.setMany!({ k: 1 }, 60, 2), 'setMany() got 2 for its'],
    ["deleteMany(['k'], 2)", (c) => c.deleteMany!(['k'], 2), 'deleteMany() got 2 for its options'],
    ["set('k', 'v', { tags })", (c) => c.set!('k', 'v', { tags: ['a'] }), 'Options come after it'],
    ["set('k', 'v', 60, { ttl })", (c) => c.set!('k', 'v', 60, { ttl: 5 }), 'unknown option "ttl"'],
    [
      "set('k', 'v', 60, { tag })",
      (c) => c.set!('k', 'v', 60, { tag: ['a'] }),
      'unknown option "tag"',
    ],
    ["get('k', 0, { versoin })", (c) => c.get!('k', 0, { versoin: 2 }), 'Did you mean version?'],
    [
      "get('k', 0, { version: {} })",
      (c) => c.get!('k', 0, { version: {} }),
      'got the version an object',
    ],
    [
      "get('k', { version: 2 })",
      (c) => c.get!('k', { version: 2 }),
      'write get("k", undefined, { version: 2 })',
    ],
    ["getMany('a', 'b')", (c) => c.getMany!('a', 'b'), '. Give '],
    [
      "getMany('ab')",
      (c) => c.getMany!('ab'),
      'getMany() got "ab" for its keys. Give a list: getMany(["ab"]).',
    ],
    [
      "deleteMany('ab')",
      (c) => c.deleteMany!('ab'),
      'deleteMany() got "ab" for its keys. Give a list',
    ],
    [
      'deleteMany()',
      (c) => c.deleteMany!(),
      "got undefined for its keys. Give a list: deleteMany(['a', 'b']).",
    ],
    [
      "setMany('ab')",
      (c) => c.setMany!('ab'),
      'setMany() got "ab" for its entries. Give an object',
    ],
    [
      "invalidateTags(['a'], 'soft')",
      (c) => c.invalidateTags!(['a'], 'soft'),
      "Give an object: { mode: 'soft' }.",
    ],
    [
      "invalidateTags(['a'], { soft })",
      (c) => c.invalidateTags!(['a'], { soft: true }),
      'unknown option "soft"',
    ],
    [
      'invalidateTags(5)',
      (c) => c.invalidateTags!(5),
      "got the tags 5. Give a list: ['product:42'].",
    ],
    ["invalidatePrefix('/', 'soft')", (c) => c.invalidatePrefix!('/', 'soft'), "{ mode: 'soft' }"],
    [
      "invalidateUrl('http://a/', 'soft')",
      (c) => c.invalidateUrl!('http://a/', 'soft'),
      "{ mode: 'soft' }",
    ],
  ])('%s', async (_call, run, remedy) => {
    const cache = make();
    await cache.set('k', 1);
    const refused = Promise.resolve().then(() => run(cache as unknown as Untyped));
    await expect(refused).rejects.toThrow(TypeError);
    await expect(Promise.resolve().then(() => run(cache as unknown as Untyped))).rejects.toThrow(
      remedy,
    );
  });

  test('and no others', async () => {
    const cache = make();
    const options = { version: 2 };
    await cache.set('k', 'v', 60, options);
    await cache.set('k', 'v', undefined, {});
    await cache.get('k', { version: 2 }, {});
    await cache.get('k', { version: 2, title: 'a' });
    await cache.getMany(new Set(['k']), options);
    await cache.deleteMany(['k'].values());
    await cache.setMany(new Map([['k', 1]]), 60, options);
    await cache.invalidateTags(new Set(['a']), { mode: 'soft' });
    await cache.invalidateUrl(new URL('http://a.example/x'));
    await cache.invalidatePrefix(new URL('http://a.example/x/'));
  });
});

function tier(): BaseCache {
  return createCaches({
    default: {
      backend: 'tiered',
      location: { backend: 'file', location: makeDirectory() },
      options: { trustMs: 20 },
    },
  }).default;
}
