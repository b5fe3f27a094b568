import { inspect } from 'node:util';
import type { ContainerWatcher } from './watched-container';

const WATCH = Symbol('cachewright.locals');

interface LocalsWatch {
  /**
   * Those who are told, with the entries that each has not seen read yet. Who reads the last of them may
   * have gone through all.
   */
  readonly watchers: Map<ContainerWatcher, Set<string>>;
  readonly entries: Map<string, PropertyDescriptor>;
  readonly prototype: object | null;
}

interface WatchedLocals {
  [WATCH]: LocalsWatch;
}

/**
 * Watches `res.locals` in place. It stays an ordinary object, which can be cloned and posted to a worker:
 * each entry gets a getter, and the prototype sees reads of what is absent. Caches inside each other, and
 * requests that were given the same object, watch it together.
 *
 * @returns Ends the watch; the last one leaves the entries as they are by then. `undefined` if the object
 *   cannot be watched.
 */
export function watchLocals(locals: object, watcher: ContainerWatcher): (() => void) | undefined {
  const watch = Object.hasOwn(locals, WATCH)
    ? (locals as WatchedLocals)[WATCH]
    : beginWatch(locals);
  if (watch === undefined) return undefined;
  watch.watchers.set(watcher, new Set(watch.entries.keys()));
  activeLocals.add(watcher);
  return () => {
    activeLocals.delete(watcher);
    watch.watchers.delete(watcher);
    if (watch.watchers.size === 0) endWatch(locals, watch);
  };
}

function beginWatch(locals: object): LocalsWatch | undefined {
  if (!Object.isExtensible(locals)) return undefined;
  const entries = new Map<string, PropertyDescriptor>();
  for (const key of Object.keys(locals)) {
    const own = Object.getOwnPropertyDescriptor(locals, key);
    if (own === undefined) continue;
    if (own.configurable !== true) return undefined;
    entries.set(key, own);
  }
  const prototype: object | null = Object.getPrototypeOf(locals);
  const watch: LocalsWatch = { watchers: new Map(), entries, prototype };
  Object.defineProperty(locals, WATCH, { configurable: true, value: watch });
  for (const key of entries.keys()) Object.defineProperty(locals, key, descriptorOf(key));
  Object.setPrototypeOf(locals, watchingPrototype(prototype));
  return watch;
}

function endWatch(locals: object, { entries, prototype }: LocalsWatch): void {
  // The code inside has frozen it. It stays as it is, and nobody is told any more.
  if (!Object.isExtensible(locals)) return;
  Object.setPrototypeOf(locals, prototype);
  delete (locals as Partial<WatchedLocals>)[WATCH];
  for (const [key, entry] of entries) {
    const own = Object.getOwnPropertyDescriptor(locals, key);
    if (own?.get === descriptorOf(key).get) Object.defineProperty(locals, key, entry);
  }
}

/** The entries as they are now, in an object that nobody watches. */
export function copyOfLocals(locals: object): object {
  const watch = (locals as Partial<WatchedLocals>)[WATCH];
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(locals)) {
    const own = Object.getOwnPropertyDescriptor(locals, key)!;
    const entry = own.get === descriptorOf(key).get ? watch?.entries.get(key) : own;
    copy[key] = entry && entryValue(entry, locals);
  }
  return copy;
}

/** Watchers whose `res.locals` are watched now. */
const activeLocals = new Set<ContainerWatcher>();

const PLAIN = { configurable: true, enumerable: true, writable: true };

/** What an entry holds. Middleware may have put it there as a getter. */
function entryValue({ get, value }: PropertyDescriptor, locals: object): unknown {
  return get === undefined ? value : get.call(locals);
}

/** One accessor for all requests: V8 makes a hidden class for each pair of functions. */
const descriptors = new Map<string, PropertyDescriptor>();
const MAX_DESCRIPTORS = 1000;

function descriptorOf(key: string): PropertyDescriptor {
  let descriptor = descriptors.get(key);
  if (descriptor !== undefined) return descriptor;
  descriptor = {
    configurable: true,
    enumerable: true,
    get(this: WatchedLocals) {
      const { watchers, entries } = this[WATCH];
      for (const [watcher, unread] of watchers) {
        watcher.noteField('locals', key);
        unread.delete(key);
        if (unread.size === 0) watcher.noteNames('locals');
      }
      return entryValue(entries.get(key)!, this);
    },
    set(this: WatchedLocals, value: unknown) {
      const { watchers, entries } = this[WATCH];
      for (const watcher of watchers.keys()) watcher.noteWritten('locals', key);
      const entry = entries.get(key)!;
      if (entry.set !== undefined) entry.set.call(this, value);
      else if (entry.get === undefined) entries.set(key, { ...PLAIN, value });
    },
  };
  if (descriptors.size < MAX_DESCRIPTORS) descriptors.set(key, descriptor);
  return descriptor;
}

const prototypes = new WeakMap<object, object>();
const WITHOUT_PROTOTYPE = Object.create(null) as object;

/** Seen on objects by those who want to know what they have. */
const NOT_ENTRIES = new Set([
  'constructor',
  'then',
  'toJSON',
  'hasOwnProperty',
  'inspect',
  'toString',
]);

function watchingPrototype(original: object | null): object {
  const prototype = original ?? WITHOUT_PROTOTYPE;
  let watching = prototypes.get(prototype);
  if (watching === undefined) {
    watching = new Proxy(prototype, HANDLER);
    prototypes.set(prototype, watching);
  }
  return watching;
}

const HANDLER: ProxyHandler<object> = {
  get(target, key, receiver: Partial<WatchedLocals>) {
    const watch = Object.hasOwn(receiver, WATCH) ? receiver[WATCH] : undefined;
    if (watch !== undefined) {
      const { watchers } = watch;
      if (key === 'toJSON' || key === inspect.custom) {
        for (const watcher of watchers.keys()) watcher.noteAllFields('locals');
      } else if (typeof key === 'string' && !(key in target) && !NOT_ENTRIES.has(key)) {
        for (const watcher of watchers.keys()) watcher.noteField('locals', key);
      }
      if (key === inspect.custom) return () => copyOfLocals(receiver);
    }
    return Reflect.get(target, key, receiver);
  },
  has(target, key) {
    const isThere = Reflect.has(target, key);
    // The object is not told. Of several renders under way each may be meant.
    if (!isThere && typeof key === 'string') {
      for (const watcher of activeLocals) watcher.noteField('locals', key);
    }
    return isThere;
  },
  set(target, key, value, receiver: Partial<WatchedLocals>) {
    if (!Object.hasOwn(receiver, WATCH)) return Reflect.set(target, key, value, receiver);
    for (const watcher of receiver[WATCH]!.watchers.keys()) watcher.noteWritten('locals', key);
    return Reflect.defineProperty(receiver, key, { ...PLAIN, value });
  },
};
