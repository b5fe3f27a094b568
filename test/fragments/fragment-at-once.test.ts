import {
  type BaseCache,
  cacheFragment,
  caches,
  cacheTags,
  InvalidCacheBackendError,
  LocMemCache,
  makeTemplateFragmentKey,
} from 'cachewright';
import type { Fill } from '../../src/cache/get-or-set';
import { cacheFragmentAtOnce } from '../../src/fragments/fragment-at-once';
import type { FragmentOptions } from '../../src/fragments/fragment-request';
import { stopClock } from '../support/clock';
import { deferred } from '../support/deferred';
import { freshCaches } from '../support/fresh-caches';
import { MapCache } from '../support/map-cache';
import { catchWarnings } from '../support/process-warnings';
import { settled } from '../support/settled';

freshCaches({ dummy: { backend: 'dummy' }, later: { backend: MapCache, location: 'at once' } });
const clock = stopClock();
const warnings = catchWarnings();

let runs = 0;
let uncached = 0;
beforeEach(() => {
  runs = 0;
  uncached = 0;
});

const count = () => `run ${++runs}`;

function show(render: () => string = count, options: FragmentOptions = {}, timeout = 60): string {
  const onUncached = () => void uncached++;
  return cacheFragmentAtOnce(timeout, 'a', [], render, options, onUncached);
}

const key = makeTemplateFragmentKey('a');

test('local memory has it at once, for as long as it lives', () => {
  expect([show(), show()]).toEqual(['run 1', 'run 1']);
  clock.advance(60);
  expect([show(), show()]).toEqual(['run 2', 'run 2']);
  expect(uncached).toBe(0);
});

test('it is the same as where there is waiting', async () => {
  show();
  expect(await cacheFragment(60, 'a', [], count)).toBe('run 1');
  await caches.default.delete(key);
  expect(await cacheFragment(60, 'a', [], count)).toBe('run 2');
  expect(show()).toBe('run 2');
});

test.each([0, -1])('a timeout of %i renders it each time', (timeout) => {
  expect([show(count, {}, timeout), show(count, {}, timeout)]).toEqual(['run 1', 'run 2']);
  expect(uncached).toBe(0);
});

test('the dummy renders it each time, as it is meant to', () => {
  const options = { using: 'dummy', tags: ['a'] };
  expect([show(count, options), show(count, options)]).toEqual(['run 1', 'run 2']);
  expect(uncached).toBe(0);
});

test('a backend that needs I/O is told of, and it is rendered each time', () => {
  expect([show(count, { using: 'later' }), show(count, { using: 'later' })]).toEqual([
    'run 1',
    'run 2',
  ]);
  expect(uncached).toBe(2);
});

test('it goes as one of its tags is purged, hard or soft', async () => {
  const render = () => {
    cacheTags('within');
    return count();
  };
  show(render, { tags: ['given'] });
  for (const [i, [tag, mode]] of (
    [
      ['given', 'hard'],
      ['within', 'soft'],
      ['within', 'hard'],
    ] as const
  ).entries()) {
    expect(show(render, { tags: ['given'] })).toBe(`run ${i + 1}`);
    await caches.default.invalidateTags([tag], { mode });
    expect(show(render, { tags: ['given'] })).toBe(`run ${i + 2}`);
  }
});

test('what is purged or deleted while it is rendered is not stored', () => {
  const purging = () => {
    void caches.default.invalidateTags(['row']);
    return count();
  };
  expect(show(purging, { tags: ['row'] })).toBe('run 1');
  const deleting = () => {
    void caches.default.delete(key);
    return count();
  };
  expect(show(deleting)).toBe('run 2');
  expect(show()).toBe('run 3');
  expect(show()).toBe('run 3');
});

test('one that throws is not stored, and what comes next is', () => {
  const fail = () => {
    throw new Error('The database is away.');
  };
  expect(() => show(fail)).toThrow('The database is away.');
  // Nothing is left to be ended.
  const fill = caches.default.beginFill(key) as Fill;
  expect(fill.isShared).toBeUndefined();
  expect(show()).toBe('run 1');
  expect(show()).toBe('run 1');
});

test('its tags are those of what is around it, on a hit and if it throws, too', async () => {
  const outer = jest.fn(async () => show(count, { tags: ['inner'] }));
  const shown = () => cacheFragment(600, 'outer', [], outer);
  show(count, { tags: ['inner'] });
  for (let i = 1; i <= 2; i++) {
    await shown();
    await shown();
    expect(outer).toHaveBeenCalledTimes(i);
    await caches.default.invalidateTags(['inner']);
  }
  const failing = jest.fn(async () => {
    try {
      return show(() => {
        cacheTags('early');
        throw new Error('no');
      });
    } catch {
      return 'in its place';
    }
  });
  for (let i = 1; i <= 2; i++) {
    await cacheFragment(600, 'failing', [], failing);
    await cacheFragment(600, 'failing', [], failing);
    expect(failing).toHaveBeenCalledTimes(i);
    await caches.default.invalidateTags(['early']);
  }
});

test('within itself it is rendered', () => {
  expect(show(() => `<${show()}>`)).toBe('<run 1>');
  expect(show()).toBe('<run 1>');
});

test('it does not wait for one that is being rendered, nor keep it from its end', async () => {
  const { promise, resolve } = deferred<string>();
  const other = cacheFragment(60, 'a', [], () => promise);
  await settled();
  expect([show(), show()]).toEqual(['run 1', 'run 1']);
  resolve('other');
  await other;
  expect(show()).toBe('run 1');
});

test('one that throws does not keep another from being stored', async () => {
  const { promise, resolve } = deferred<string>();
  const other = cacheFragment(60, 'a', [], () => promise);
  await settled();
  expect(() =>
    show(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  resolve('other');
  expect(await other).toBe('other');
  expect(show()).toBe('other');
});

test('what is no fragment gives way', async () => {
  await caches.default.set(key, { html: 5 });
  expect(show()).toBe('run 1');
  await settled();
  expect([show(), show()]).toEqual(['run 2', 'run 2']);
});

test('a cache that fails is told of, and it is rendered', () => {
  const broken = {
    dump() {
      throw new Error('no room');
    },
    load: () => undefined,
  };
  const using: BaseCache = new LocMemCache('broken', { options: { serializer: broken } });
  expect([show(count, { using }), show(count, { using })]).toEqual(['run 1', 'run 2']);
  expect(warnings.map(({ code, message }) => [code, message])).toEqual([
    ['CACHEWRIGHT_FRAGMENT', expect.stringContaining('no room')],
  ]);
});

test('arguments that make no sense are errors before it is rendered', () => {
  const render = jest.fn(() => 'x');
  const call = (timeout: unknown, options: FragmentOptions) => () =>
    cacheFragmentAtOnce(timeout, 'a', [], render, options, () => {});
  expect(call('foo', {})).toThrow(TypeError);
  expect(call(60, { using: 'nowhere' })).toThrow(InvalidCacheBackendError);
  expect(call(60, { using: 'later', tags: ['a'] })).toThrow('got tags');
  expect(render).not.toHaveBeenCalled();
});
