import type { BaseCache, CacheParams } from 'cachewright';
import fc from 'fast-check';
import type { Clock } from '../support/clock';

/** One call and its arguments, or time that passes. */
type Step =
  | { readonly op: 'get' | 'hasKey' | 'delete'; readonly key: Key }
  | { readonly op: 'set' | 'add'; readonly key: Key; readonly value: Value; readonly timeout: Time }
  | { readonly op: 'touch'; readonly key: Key; readonly timeout: Time }
  | {
      readonly op: 'incr' | 'decr' | 'incrVersion' | 'decrVersion';
      readonly key: Key;
      readonly delta: number;
    }
  | {
      readonly op: 'getMany' | 'deleteMany';
      readonly keys: readonly string[];
      readonly version: Version;
    }
  | {
      readonly op: 'setMany';
      readonly keys: readonly string[];
      readonly value: Value;
      readonly timeout: Time;
      readonly version: Version;
    }
  | { readonly op: 'getOrSet'; readonly key: Key; readonly value: Value; readonly timeout: Time }
  | { readonly op: 'clear' }
  | { readonly op: 'advance'; readonly seconds: number };

type Version = number | undefined;
type Time = number | null | undefined;
type Value = null | boolean | number | string | readonly number[] | { readonly a: string };

interface Key {
  readonly name: string;
  readonly version: Version;
}

const DEFAULT_TIMEOUT = 5;

/** Makes timeouts so long that none passes in a test. */
const LONG = 1000;

const name = fc.constantFrom('a', 'b', 'c', 'd');
const version = fc.constantFrom(undefined, undefined, 1, 2);
const key: fc.Arbitrary<Key> = fc.record({ name, version });
const keys = fc.array(name, { maxLength: 4 });
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 5 }) },
  fc.constantFrom(null, true, false, 0.5),
  fc.string({ maxLength: 8 }),
  fc.array(fc.integer(), { maxLength: 3 }),
  fc.record({ a: fc.string({ maxLength: 3 }) }),
);
// Halves, so that entries are met at the very instant of their expiry as well.
const timeout: fc.Arbitrary<Time> = fc.constantFrom(
  undefined,
  undefined,
  null,
  0,
  -1,
  0.5,
  1,
  2.5,
  4,
);
const delta = fc.constantFrom(1, 1, 2, -1, 0, 0.5);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('get'), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('hasKey'), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete'), key }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('set'), key, value, timeout }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('add'), key, value, timeout }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('touch'), key, timeout }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('incr'), key, delta }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('decr'), key, delta }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('incrVersion'), key, delta: fc.constant(1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('decrVersion'), key, delta: fc.constant(1) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('getMany'), keys, version }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('deleteMany'), keys, version }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('setMany'), keys, value, timeout, version }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('getOrSet'), key, value, timeout }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('advance'), seconds: fc.constantFrom(0, 0.5, 1, 3) }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'clear' as const }) },
) as fc.Arbitrary<Step>;

/** Where two backends that keep the contract differ. */
export interface Habits {
  /** Whether an entry is gone at the very instant of its expiry, or after it (TMO-09). */
  readonly expiresAtInstant: boolean;
  /** What `incr` does to the expiry (API-22). */
  readonly incrKeepsTimeout: boolean;
  /**
   * Whether `hasKey`, `touch`, `incr` and `decr` leave an expired entry where it is, to be deleted
   * later (DB-06).
   *
   * @defaultValue false
   */
  readonly keepsExpired?: boolean;
  /** What can be counted: whole numbers alone, or those from zero up (API-20, API-21). @defaultValue 'any' */
  readonly counters?: 'any' | 'integers' | 'naturals';
  /**
   * Whether time is that of a server, which no test can move: then none passes, and timeouts are
   * long. What expires in time is for the contract to see.
   *
   * @defaultValue false
   */
  readonly hasOwnTime?: boolean;
}

/** The contract in its shortest form: a Map from version and key to value and expiry. */
class Model {
  readonly #entries = new Map<string, { value: Value; expiresAt: number }>();

  constructor(
    readonly clock: Clock,
    readonly habits: Habits,
  ) {}

  /** What the cache must answer; errors by their code. */
  run(step: Step): unknown {
    switch (step.op) {
      case 'get':
        return this.#get(place(step.key));
      case 'hasKey':
        return this.#meet(place(step.key)) !== undefined;
      case 'delete':
        // Expired entries that nobody met are still there to be deleted (API-11).
        return this.#entries.delete(place(step.key));
      case 'set':
        return this.#set(place(step.key), step.value, step.timeout);
      case 'add':
        if (this.#get(place(step.key)) !== undefined) return false;
        this.#set(place(step.key), step.value, step.timeout);
        return true;
      case 'touch': {
        const found = this.#meet(place(step.key));
        if (found !== undefined) this.#set(place(step.key), found, step.timeout);
        return found !== undefined;
      }
      case 'incr':
        return this.#add(place(step.key), step.delta);
      case 'decr':
        return this.#add(place(step.key), -step.delta);
      case 'incrVersion':
        return this.#move(step.key, step.delta);
      case 'decrVersion':
        return this.#move(step.key, -step.delta);
      case 'getMany': {
        const found: Record<string, Value> = {};
        for (const name of step.keys) {
          const value = this.#get(place({ name, version: step.version }));
          if (value !== undefined) found[name] = value;
        }
        return found;
      }
      case 'deleteMany':
        for (const name of step.keys) this.#entries.delete(place({ name, version: step.version }));
        return undefined;
      case 'setMany':
        for (const name of step.keys) {
          this.#set(place({ name, version: step.version }), step.value, step.timeout);
        }
        return [];
      case 'getOrSet': {
        const found = this.#get(place(step.key));
        if (found === undefined) this.#set(place(step.key), step.value, step.timeout);
        return found === undefined ? step.value : found;
      }
      case 'clear':
        return this.#entries.clear();
      case 'advance':
        return undefined;
    }
  }

  #get(place: string): Value | undefined {
    const value = this.#live(place);
    if (value === undefined) this.#entries.delete(place);
    return value;
  }

  /** As some operations do that do not read the value. */
  #meet(place: string): Value | undefined {
    return this.habits.keepsExpired === true ? this.#live(place) : this.#get(place);
  }

  #live(place: string): Value | undefined {
    const entry = this.#entries.get(place);
    if (entry === undefined) return undefined;
    const left = entry.expiresAt - this.clock.now();
    const isLive = left > 0 || (left === 0 && !this.habits.expiresAtInstant);
    return isLive ? entry.value : undefined;
  }

  #set(place: string, value: Value, timeout: Time = DEFAULT_TIMEOUT): undefined {
    if (timeout !== null && timeout <= 0) this.#entries.delete(place);
    else {
      const expiresAt = timeout === null ? Infinity : this.clock.now() + timeout * 1000;
      this.#entries.set(place, { value, expiresAt });
    }
  }

  #add(place: string, delta: number): unknown {
    const { counters = 'any' } = this.habits;
    if (counters !== 'any' && !Number.isInteger(delta)) return expect.any(TypeError);
    const value = this.#meet(place);
    if (value === undefined) return 'ERR_CACHE_KEY_NOT_FOUND';
    if (typeof value !== 'number') return 'ERR_CACHE_VALUE';
    if (counters !== 'any' && !Number.isInteger(value)) return 'ERR_CACHE_VALUE';
    if (counters === 'naturals' && value < 0) return 'ERR_CACHE_VALUE';
    const sum = counters === 'naturals' ? Math.max(0, value + delta) : value + delta;
    if (this.habits.incrKeepsTimeout) this.#entries.get(place)!.value = sum;
    else this.#set(place, sum);
    return sum;
  }

  #move({ name, version = 1 }: Key, delta: number): unknown {
    const value = this.#get(place({ name, version }));
    if (value === undefined) return 'ERR_CACHE_KEY_NOT_FOUND';
    this.#set(place({ name, version: version + delta }), value);
    this.#entries.delete(place({ name, version }));
    return version + delta;
  }
}

function place({ name, version = 1 }: Key): string {
  return `${version}:${name}`;
}

/** What the cache answers; errors by their code. */
async function ask(cache: BaseCache, clock: Clock, step: Step): Promise<unknown> {
  try {
    return await call(cache, clock, step);
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

/** The option `version` alone. */
function versionOf({ version }: { readonly version?: number | undefined }) {
  return version === undefined ? {} : { version };
}

async function call(cache: BaseCache, clock: Clock, step: Step): Promise<unknown> {
  switch (step.op) {
    case 'get':
      return cache.get(step.key.name, undefined, versionOf(step.key));
    case 'set':
    case 'add':
      return cache[step.op](step.key.name, step.value, step.timeout, versionOf(step.key));
    case 'hasKey':
    case 'delete':
      return cache[step.op](step.key.name, versionOf(step.key));
    case 'touch':
      return cache.touch(step.key.name, step.timeout, versionOf(step.key));
    case 'incr':
    case 'decr':
    case 'incrVersion':
    case 'decrVersion':
      return cache[step.op](step.key.name, step.delta, versionOf(step.key));
    case 'getMany':
    case 'deleteMany':
      return cache[step.op](step.keys, versionOf(step));
    case 'setMany':
      return cache.setMany(
        new Map(step.keys.map((name) => [name, step.value])),
        step.timeout,
        versionOf(step),
      );
    case 'getOrSet':
      return cache.getOrSet(step.key.name, () => step.value, step.timeout, versionOf(step.key));
    case 'clear':
      return cache.clear();
    case 'advance':
      return clock.advance(step.seconds);
  }
}

/**
 * Compares what a backend answers with what the model does, over random calls.
 *
 * @param open - Opens the backend, empty or not, with these settings.
 * @param clock - The time of backends in this process.
 * @param calls - How many are compared.
 */
export function describeModel(
  name: string,
  open: (params: CacheParams) => BaseCache | Promise<BaseCache>,
  clock: Clock,
  habits: Habits,
  calls: number,
): void {
  test(`${name} answers ${calls} random calls as a Map with expiry and versions would`, async () => {
    const { hasOwnTime = false } = habits;
    const timeout = hasOwnTime ? DEFAULT_TIMEOUT * LONG : DEFAULT_TIMEOUT;
    const cache = await open({ timeout, options: { maxEntries: 1e6 } });
    const answers = new Map<string, number>();
    let done = 0;
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 200, size: 'max' }),
      async (steps) => {
        await cache.clear();
        const model = new Model(clock, habits);
        for (const drawn of steps) {
          const step = hasOwnTime ? withoutTime(drawn) : drawn;
          const answer = await ask(cache, clock, step);
          const expected = model.run(step);
          if (answer !== expected) expect(answer).toEqual(expected);
          done += 1;
          const kind = `${step.op} ${expected === true || expected === false ? expected : typeof expected}`;
          answers.set(kind, (answers.get(kind) ?? 0) + 1);
        }
      },
    );
    while (done < calls) await fc.assert(property, { numRuns: 100 });
    // Neither misses alone nor hits alone.
    for (const op of ['add', 'touch', 'hasKey', 'delete']) {
      expect(answers.get(`${op} true`)).toBeGreaterThan(calls / 200);
      expect(answers.get(`${op} false`)).toBeGreaterThan(calls / 200);
    }
    for (const op of ['incr', 'decr', 'incrVersion', 'decrVersion']) {
      expect(answers.get(`${op} number`)).toBeGreaterThan(calls / 1000);
      expect(answers.get(`${op} string`)).toBeGreaterThan(calls / 1000);
    }
    await cache.close();
  }, 600_000);
}

/** The step with a timeout that does not pass, and without a pause. */
function withoutTime(step: Step): Step {
  if (step.op === 'advance') return { op: 'advance', seconds: 0 };
  if (!('timeout' in step) || step.timeout === undefined || step.timeout === null) return step;
  return { ...step, timeout: step.timeout * LONG };
}
