import { readFrozen, readTogether } from '../../src/page-cache/page-reads';
import { MapCache } from '../support/map-cache';

/** Remembers what was read of it, and answers when it is told to. */
class HeldCache extends MapCache {
  override readonly isShared: boolean = true;
  readonly reads: { key: string; deadlineMs: number; isLatest: boolean | undefined }[] = [];
  readonly held: (() => void)[] = [];
  value: unknown = 'old';
  error: Error | undefined;

  override async getFrozen(key: string, deadlineMs: number, isLatest?: boolean) {
    this.reads.push({ key, deadlineMs, isLatest });
    const { value, error } = this;
    await new Promise<void>((resolve) => this.held.push(resolve));
    if (error !== undefined) throw error;
    return value as Buffer;
  }

  release(): void {
    for (const go of this.held.splice(0)) go();
  }
}

class LocalCache extends HeldCache {
  override readonly isShared = false;
}

let cache: HeldCache;
beforeEach(() => {
  cache = new HeldCache({});
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

function read(times: number, key = 'page', { deadlineMs = 100, isLatest = false } = {}) {
  return Array.from({ length: times }, () => readFrozen(cache, key, deadlineMs, isLatest));
}

async function releaseAll(): Promise<void> {
  await turn();
  await turn();
  cache.release();
}

test('visitors who come in one turn cost two reads, the first of them at once', async () => {
  const found = read(250);
  expect(cache.reads).toHaveLength(1);
  await releaseAll();
  expect(await Promise.all(found)).toEqual(found.map(() => 'old'));
  expect(cache.reads).toHaveLength(2);
});

test('nobody is given what was read before he came', async () => {
  const [first, second] = [...read(1), ...read(1)];
  cache.value = 'new';
  const third = read(1)[0];
  await releaseAll();
  expect(await first).toBe('old');
  expect(await second).toBe('new');
  expect(await third).toBe('new');
});

test('who comes a turn later does not wait for those before', async () => {
  void read(3);
  await turn();
  await turn();
  expect(cache.reads).toHaveLength(2);
  cache.value = 'new';
  const [later] = read(1);
  expect(cache.reads).toHaveLength(3);
  cache.release();
  expect(await later).toBe('new');
});

test('what differs in key, deadline or place is read apart', async () => {
  const ways = [
    ['page', { deadlineMs: 100, isLatest: false }],
    ['other', { deadlineMs: 100, isLatest: false }],
    ['page', { deadlineMs: 200, isLatest: false }],
    ['page', { deadlineMs: 100, isLatest: true }],
  ] as const;
  const found = [...ways, ...ways].flatMap(([key, way]) => read(1, key, way));
  await releaseAll();
  await Promise.all(found);
  const asked = ways.map(([key, way]) => ({ key, ...way }));
  expect(cache.reads).toEqual([...asked, ...asked]);
});

test('what is called differently is read apart', async () => {
  const works = ['a', 'b'].map((name) => jest.fn(async () => name));
  const askers = [0, 1, 0, 1, 0, 1].map((i) => readTogether(cache, `tags ${i}`, works[i]!));
  expect(await Promise.all(askers)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  expect(works.map((work) => work.mock.calls.length)).toEqual([2, 2]);
});

test('two backends have nothing to do with each other', async () => {
  const other = new HeldCache({});
  other.value = 'of another';
  const found = [...read(2), readFrozen(other, 'page', 100, false)];
  await releaseAll();
  other.release();
  expect(await Promise.all(found)).toEqual(['old', 'old', 'of another']);
});

test('all hear of a failure, and the next turn tries again', async () => {
  cache.error = new Error('gone');
  const failing = Promise.allSettled(read(3));
  await releaseAll();
  expect((await failing).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
  cache.error = undefined;
  const found = read(2);
  await releaseAll();
  expect(await Promise.all(found)).toEqual(['old', 'old']);
});

test('a backend of this process alone is read each time', async () => {
  cache = new LocalCache({});
  const found = read(3);
  expect(cache.reads).toHaveLength(3);
  cache.release();
  await Promise.all(found);
});
