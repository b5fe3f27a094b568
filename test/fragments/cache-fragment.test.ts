import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  cacheFragment,
  caches,
  cacheTags,
  configureCaches,
  createCaches,
  type FragmentOutcomeMessage,
  InvalidCacheBackendError,
  InvalidCacheKeyError,
  LocMemCache,
  makeTemplateFragmentKey,
  type VersionOption,
} from 'cachewright';
import { RejectingCache, ThrowingCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { deferred } from '../support/deferred';
import { freshCaches } from '../support/fresh-caches';
import { MapCache } from '../support/map-cache';
import { catchWarnings } from '../support/process-warnings';
import { settled } from '../support/settled';
import { tempDirectories } from '../support/temp-directory';

freshCaches({ other: { location: 'other' } });
const clock = stopClock();
const warnings = catchWarnings();
const directory = tempDirectories();

/** A fragment that tells how often it was rendered. */
function counted(text = 'made') {
  const counter = { runs: 0, render: () => `${text} ${++counter.runs}` };
  return counter;
}

test('it is rendered once, whoever asks for that name and those values (FRAG-05)', async () => {
  const { render } = counted();
  expect(await cacheFragment(60, 'a', ['x'], render)).toBe('made 1');
  expect(await cacheFragment(60, 'a', ['x'], render)).toBe('made 1');
  expect(await cacheFragment(60, 'a', ['x'], () => 'another')).toBe('made 1');
  clock.advance(60);
  expect(await cacheFragment(60, 'a', ['x'], render)).toBe('made 2');
});

test('other values make another fragment (FRAG-06)', async () => {
  const { render } = counted();
  const shown: string[] = [];
  for (const varyOn of [['x'], ['x y'], ['ü'.repeat(5000)], [''], undefined]) {
    shown.push(await cacheFragment(60, 'a', varyOn, render));
    expect(await cacheFragment(60, 'a', varyOn, render)).toBe(shown.at(-1));
  }
  expect(shown).toEqual(['made 1', 'made 2', 'made 3', 'made 4', 'made 5']);
  expect(await cacheFragment(60, 'a', [undefined], render)).toBe('made 4');
});

test('an empty one is a hit, too (FRAG-07)', async () => {
  const render = jest.fn(() => '');
  expect(await cacheFragment(60, 'a', [], render)).toBe('');
  expect(await cacheFragment(60, 'a', [], render)).toBe('');
  expect(render).toHaveBeenCalledTimes(1);
});

describe('the timeout (FRAG-08)', () => {
  test.each<[number | string, number]>([
    [10, 10],
    ['10', 10],
    [' +10 ', 10],
    [1.9, 1],
    [10.999, 10],
  ])('%j is %i seconds', async (timeout, seconds) => {
    const { render } = counted();
    await cacheFragment(timeout, 'a', [], render);
    clock.advance(seconds - 0.001);
    expect(await cacheFragment(timeout, 'a', [], render)).toBe('made 1');
    clock.advance(0.001);
    expect(await cacheFragment(timeout, 'a', [], render)).toBe('made 2');
  });

  test('null is for ever', async () => {
    const { render } = counted();
    await cacheFragment(null, 'a', [], render);
    clock.advance(100 * 365 * 24 * 3600);
    expect(await cacheFragment(null, 'a', [], render)).toBe('made 1');
  });

  test.each([0, -1, '0', '-5', 0.9])(
    '%j renders each time, and leaves alone what is stored',
    async (timeout) => {
      const { render } = counted();
      await cacheFragment(60, 'a', [], () => 'stored');
      expect(await cacheFragment(timeout, 'a', [], render)).toBe('made 1');
      expect(await cacheFragment(timeout, 'a', [], render)).toBe('made 2');
      expect(await cacheFragment(60, 'a', [], render)).toBe('stored');
    },
  );

  test.each<[unknown, string]>([
    [undefined, 'undefined'],
    ['foo', "'foo'"],
    ['1.5', "'1.5'"],
    ['', "''"],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [[1], '[ 1 ]'],
    [true, 'true'],
    [{}, '{}'],
  ])('%j is an error that names it and the fragment (FRAG-09)', async (timeout, shown) => {
    const { runs, render } = counted();
    await expect(cacheFragment(timeout as number, 'a', [], render)).rejects.toThrow(
      new TypeError(`Fragment "a" got the timeout ${shown}. Give seconds, or null for no expiry.`),
    );
    expect(runs).toBe(0);
  });
});

describe('the cache', () => {
  test('is the alias template_fragments if there is one, else default (FRAG-12)', async () => {
    const key = makeTemplateFragmentKey('a');
    await cacheFragment(60, 'a', [], () => 'x');
    expect(await caches.default.hasKey(key)).toBe(true);
    const own = configureCaches({
      default: {},
      template_fragments: { location: 'fragments' },
      other: { location: 'elsewhere' },
    });
    await own.default.clear();
    await cacheFragment(60, 'a', [], () => 'x');
    expect(await own.template_fragments.hasKey(key)).toBe(true);
    expect(await own.default.hasKey(key)).toBe(false);
    await cacheFragment(60, 'a', [], () => 'x', { using: 'default' });
    expect(await own.default.hasKey(key)).toBe(true);
  });

  test('is the one that is named, by alias or itself (FRAG-13)', async () => {
    const key = makeTemplateFragmentKey('a');
    await cacheFragment(60, 'a', [], () => 'x', { using: 'other' });
    expect(await caches.other!.hasKey(key)).toBe(true);
    expect(await caches.default.hasKey(key)).toBe(false);
    const { default: apart } = createCaches({ default: { location: 'apart' } });
    await cacheFragment(60, 'a', [], () => 'x', { using: apart, version: 2 });
    expect(await apart.hasKey(key, { version: 2 })).toBe(true);
    expect(await apart.hasKey(key)).toBe(false);
  });

  test('that is unknown is an error that names it (FRAG-14)', async () => {
    const render = jest.fn(() => 'x');
    const shown = cacheFragment(60, 'a', [], render, { using: 'nowhere' });
    await expect(shown).rejects.toThrow(InvalidCacheBackendError);
    await expect(shown).rejects.toThrow('"nowhere" is not configured');
    for (const using of ['all', 'closeAll', 'constructor', null]) {
      const other = cacheFragment(60, 'a', [], render, { using: using as string });
      await expect(other).rejects.toThrow(InvalidCacheBackendError);
      await expect(other).rejects.toThrow(`"${using}"`);
    }
    expect(render).not.toHaveBeenCalled();
  });

  test('forgets a fragment by its key (FRAG-15)', async () => {
    const { render } = counted();
    await cacheFragment(60, 'sidebar', ['ada'], render);
    expect(await caches.default.delete(makeTemplateFragmentKey('sidebar', ['ada']))).toBe(true);
    expect(await cacheFragment(60, 'sidebar', ['ada'], render)).toBe('made 2');
    expect(await caches.default.delete(makeTemplateFragmentKey('sidebar', ['bob']))).toBe(false);
  });

  test('that has no use for a key throws its error', async () => {
    class Strict extends LocMemCache {
      override validateKey(key: string): void {
        if (key.includes(' ')) throw new InvalidCacheKeyError('no spaces', key);
      }
    }
    configureCaches({ default: { backend: Strict } });
    await expect(cacheFragment(60, 'a b', [], () => 'x')).rejects.toThrow(InvalidCacheKeyError);
    expect(await cacheFragment(60, 'a', ['a b'], () => 'x')).toBe('x');
  });

  test.each<[string, typeof RejectingCache | typeof ThrowingCache, number]>([
    ['rejects', RejectingCache, 1],
    ['throws', ThrowingCache, 2],
  ])('that %s is told of, and the fragment rendered all the same', async (_how, backend, hours) => {
    // A warning goes out once a minute.
    clock.advance(hours * 3600);
    configureCaches({ default: { backend } });
    const { render } = counted();
    expect(await cacheFragment(60, 'a', [], render)).toBe('made 1');
    expect(await cacheFragment(60, 'a', [], render)).toBe('made 2');
    expect(warnings).toEqual([
      expect.objectContaining({
        name: 'CacheFragmentWarning',
        code: 'CACHEWRIGHT_FRAGMENT',
        message: expect.stringMatching(
          /^Fragments are rendered each time, as their cache fails: (connection refused|not today)$/,
        ),
      }),
    ]);
    await expect(
      cacheFragment(60, 'a', [], () => {
        throw new Error('its own');
      }),
    ).rejects.toThrow('its own');
  });

  test('that fails only to store does not have it rendered twice', async () => {
    class ReadOnly extends MapCache {
      override async add(): Promise<never> {
        throw new Error('read-only');
      }
    }
    configureCaches({ default: { backend: ReadOnly } });
    const { render } = counted();
    expect(await cacheFragment(60, 'a', [], render)).toBe('made 1');
  });

  test('that holds something else under the key gets the fragment in its place', async () => {
    const { render } = counted();
    const key = makeTemplateFragmentKey('a');
    for (const foreign of [7, 'html', null, { html: 7 }, { html: 'x', tags: [] }]) {
      await caches.default.set(key, foreign);
      const shown = await cacheFragment(60, 'a', [], render);
      expect(shown).toMatch(/^made /);
      const again = await cacheFragment(60, 'a', [], render);
      expect(await cacheFragment(60, 'a', [], render)).toBe(again);
    }
  });
});

describe('at the same time', () => {
  test('one renders it for all', async () => {
    const gate = deferred();
    const render = jest.fn(async () => {
      await gate.promise;
      return 'x';
    });
    const shown = Promise.all(Array.from({ length: 20 }, () => cacheFragment(60, 'a', [], render)));
    await settled();
    gate.resolve();
    expect(new Set(await shown)).toEqual(new Set(['x']));
    expect(render).toHaveBeenCalledTimes(1);
  });

  test('an error reaches all, and nothing is stored', async () => {
    const gate = deferred();
    const render = jest.fn(async (): Promise<string> => {
      await gate.promise;
      throw new RangeError('broken');
    });
    const shown = Promise.allSettled(
      Array.from({ length: 5 }, () => cacheFragment(60, 'a', [], render)),
    );
    await settled();
    gate.resolve();
    for (const outcome of await shown) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: new RangeError('broken') });
    }
    expect(render).toHaveBeenCalledTimes(1);
    expect(await cacheFragment(60, 'a', [], () => 'mended')).toBe('mended');
  });

  test('nobody waits for ever for another', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'Date', 'performance'] });
    try {
      const stuck = cacheFragment(60, 'a', [], () => new Promise<string>(() => {}));
      await settled();
      const shown = cacheFragment(60, 'a', [], () => 'my own');
      await settled();
      jest.advanceTimersByTime(10_000);
      expect(await shown).toBe('my own');
      expect(await Promise.race([stuck, settled().then(() => 'stuck')])).toBe('stuck');
    } finally {
      jest.useRealTimers();
    }
  });

  test('who no longer waits for the cache does not render it once more when that answers', async () => {
    const answer = deferred();
    class SlowCache extends LocMemCache {
      override async get(key: string, fallback?: unknown, options?: VersionOption) {
        await answer.promise;
        return (await super.get(key, fallback, options)) as never;
      }
    }
    const { render } = counted();
    const using = new SlowCache('slow');
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'Date', 'performance'] });
    try {
      const shown = cacheFragment(60, 'a', [], render, { using });
      await settled();
      jest.advanceTimersByTime(10_000);
      expect(await shown).toBe('made 1');
      answer.resolve();
      await settled();
      expect(await cacheFragment(60, 'b', [], render, { using })).toBe('made 2');
    } finally {
      jest.useRealTimers();
    }
  });

  test.each<[string, Partial<Record<'endFill' | 'delete', () => Promise<boolean>>>]>([
    ['stores what was rendered', { endFill: () => new Promise(() => {}) }],
    ['deletes what is in the way', { delete: () => new Promise(() => {}) }],
  ])('nobody waits for ever while the cache %s', async (_what, stuck) => {
    const using = Object.assign(new LocMemCache('stuck'), stuck);
    await using.clear();
    if ('delete' in stuck) await using.set(makeTemplateFragmentKey('a'), 'in the way');
    const { render } = counted();
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'Date', 'performance'] });
    try {
      const gate = deferred();
      const slow = () => gate.promise.then(render);
      const shown = cacheFragment(60, 'a', [], slow, { using });
      await settled();
      // What takes this long at first is not the cache.
      jest.advanceTimersByTime(10_000);
      gate.resolve();
      await settled();
      jest.advanceTimersByTime(10_000);
      expect(await Promise.race([shown, settled().then(() => 'stuck')])).toBe('made 1');
    } finally {
      jest.useRealTimers();
    }
  });

  test('a fragment within itself does not wait for itself', async () => {
    const shown = await cacheFragment(60, 'a', [], async () => {
      const inner = await cacheFragment(60, 'b', [], () => cacheFragment(60, 'a', [], () => 'in'));
      return `<${inner}>`;
    });
    expect(shown).toBe('<in>');
    expect(await cacheFragment(60, 'a', [], () => 'new')).toBe('<in>');
  });
});

test.each([undefined, null, 7, {}])('%j is no fragment', async (made) => {
  const shown = cacheFragment(60, 'a', [], () => made as never);
  await expect(shown).rejects.toThrow(/^Fragment "a" came out as \w+\. Return a string\.$/);
  expect(await cacheFragment(60, 'a', [], () => 'x')).toBe('x');
});

describe('tags', () => {
  test('purge it, as do those that come up as it is rendered', async () => {
    const { render } = counted();
    const shown = () =>
      cacheFragment(
        60,
        'a',
        [],
        async () => {
          await null;
          cacheTags('late');
          return render();
        },
        { tags: ['known'] },
      );
    expect(await shown()).toBe('made 1');
    expect(await shown()).toBe('made 1');
    await caches.default.invalidateTags(['known']);
    expect(await shown()).toBe('made 2');
    await caches.default.invalidateTags(['late']);
    expect(await shown()).toBe('made 3');
    await caches.default.invalidateTags(['another']);
    expect(await shown()).toBe('made 3');
  });

  test('of a fragment within are those of the one around it, also where it was a hit', async () => {
    const inner = counted('inner');
    const outer = counted('outer');
    const showInner = () => cacheFragment(600, 'inner', [], inner.render, { tags: ['row'] });
    const showOuter = () =>
      cacheFragment(600, 'outer', [], async () => `${outer.render()}, ${await showInner()}`);
    await showInner();
    expect(await showOuter()).toBe('outer 1, inner 1');
    await caches.default.invalidateTags(['row']);
    expect(await showOuter()).toBe('outer 2, inner 2');
    expect(await showOuter()).toBe('outer 2, inner 2');
    // The inner one is a hit while the outer one is rendered.
    await caches.default.delete(makeTemplateFragmentKey('outer'));
    expect(await showOuter()).toBe('outer 3, inner 2');
    await caches.default.invalidateTags(['row']);
    expect(await showOuter()).toBe('outer 4, inner 3');
  });

  test('of one do not get into its neighbours', async () => {
    const [a, b] = [counted('a'), counted('b')];
    const show = () =>
      Promise.all([
        cacheFragment(60, 'a', [], a.render, { tags: ['a'] }),
        cacheFragment(60, 'b', [], b.render, { tags: ['b'] }),
      ]);
    await show();
    await caches.default.invalidateTags(['a']);
    expect(await show()).toEqual(['a 2', 'b 1']);
  });

  test('purged while one is shown in another have both rendered anew', async () => {
    configureCaches({ default: { backend: 'file', location: directory() } });
    let version = 1;
    const inner = () =>
      cacheFragment(60, 'in', [], () => {
        cacheTags('row');
        return `version ${version}`;
      });
    await inner();
    version = 2;
    const shown = deferred();
    const gate = deferred();
    const outer = () =>
      cacheFragment(60, 'out', [], async () => {
        const html = await inner();
        shown.resolve();
        await gate.promise;
        return html;
      });
    // It begins once the purge is told of, and shows the one within before that has come to its end.
    const { store } = caches.default.tags;
    const log = store.log.bind(store);
    let first: Promise<string> | undefined;
    store.log = async (names) => {
      await log(names);
      first ??= outer();
      await shown.promise;
    };
    await caches.default.invalidateTags(['row']);
    gate.resolve();
    await first;
    expect(await outer()).toBe('version 2');
  });

  test('purged while it is rendered keep it from being stored', async () => {
    const begun = deferred();
    const gate = deferred();
    const old = cacheFragment(60, 'a', [], async () => {
      begun.resolve();
      await gate.promise;
      cacheTags('row');
      return 'old';
    });
    await begun.promise;
    await caches.default.invalidateTags(['row']);
    gate.resolve();
    expect(await old).toBe('old');
    expect(await cacheFragment(60, 'a', [], () => 'new')).toBe('new');
  });

  test('purged softly have it rendered anew before it is shown', async () => {
    const inner = counted('inner');
    const showInner = () => cacheFragment(600, 'inner', [], inner.render, { tags: ['row'] });
    const showOuter = () => cacheFragment(600, 'outer', [], async () => `<${await showInner()}>`);
    await showOuter();
    await caches.default.invalidateTags(['row'], { mode: 'soft' });
    expect(await showInner()).toBe('inner 2');
    expect(await showInner()).toBe('inner 2');
    expect(await showOuter()).toBe('<inner 2>');
    await caches.default.invalidateTags(['row'], { mode: 'soft' });
    expect(await showOuter()).toBe('<inner 3>');
    expect(await showInner()).toBe('inner 3');
  });

  test('purged softly while another renders it are missed by nobody', async () => {
    const gates = [deferred(), deferred()];
    let run = 0;
    const show = () =>
      cacheFragment(
        600,
        'a',
        [],
        async () => {
          const mine = ++run;
          await gates[mine - 1]?.promise;
          return `run ${mine}`;
        },
        { tags: ['row'] },
      );
    const first = show();
    await settled();
    await caches.default.invalidateTags(['row'], { mode: 'soft' });
    const second = show();
    await settled();
    gates[0]!.resolve();
    await settled();
    gates[1]!.resolve();
    expect([await first, await second]).toEqual(['run 1', 'run 2']);
    expect(await show()).toBe('run 2');
  });

  test('do not matter to half a character, which is stored as it is sent', async () => {
    const { render } = counted('a\ud83d');
    expect(await cacheFragment(60, 'half', [], render)).toBe('a\ufffd 1');
    expect(await cacheFragment(60, 'half', [], render)).toBe('a\ufffd 1');
  });

  test.each<[unknown, string]>([
    ['row', 'cacheFragment("a") got the tags "row". Give a list: ["row"].'],
    [[7], 'A tag is 7. Give a string.'],
    [[''], 'A tag is "". Give a string.'],
  ])('%j are none', async (tags, message) => {
    const render = jest.fn(() => 'x');
    const shown = cacheFragment(60, 'a', [], render, { tags: tags as string[] });
    await expect(shown).rejects.toThrow(new TypeError(message));
    expect(render).not.toHaveBeenCalled();
  });

  test('on a class that knows none are an error, and what comes to have some is not stored', async () => {
    configureCaches({ default: { backend: MapCache } });
    const render = jest.fn(() => 'x');
    await expect(cacheFragment(60, 'a', [], render, { tags: ['row'] })).rejects.toThrow(
      'cacheFragment("a") got tags, but entries of MapCache have none. Leave them out.',
    );
    expect(render).not.toHaveBeenCalled();
    const late = counted();
    const show = () =>
      cacheFragment(60, 'b', [], () => {
        cacheTags('row');
        return late.render();
      });
    expect(await show()).toBe('made 1');
    expect(await show()).toBe('made 2');
    const plain = counted();
    await cacheFragment(60, 'c', [], plain.render);
    expect(await cacheFragment(60, 'c', [], plain.render)).toBe('made 1');
  });
});

test('a name with a space warns, as any key does', async () => {
  await cacheFragment(60, 'a b', [], () => 'x');
  expect(warnings[0]).toMatchObject({ name: 'CacheKeyWarning' });
});

test('the channel cachewright:fragment tells how each was come by', async () => {
  const told: FragmentOutcomeMessage[] = [];
  const listen = (message: unknown) => told.push(message as FragmentOutcomeMessage);
  subscribe('cachewright:fragment', listen);
  for (const timeout of [60, 60, 0]) await cacheFragment(timeout, 'a', [1], () => 'x');
  unsubscribe('cachewright:fragment', listen);
  const key = makeTemplateFragmentKey('a', [1]);
  expect(told).toEqual([
    { name: 'a', key, isHit: false },
    { name: 'a', key, isHit: true },
    { name: 'a', key, isHit: false },
  ]);
});
