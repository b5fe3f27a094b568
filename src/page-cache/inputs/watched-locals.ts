import { inspect } from 'node:util';
import type { ContainerWatcher } from './watched-container';

const WATCH = Symbol('cachewright.locals');

interface LocalsWatch {
  readonly watcher: ContainerWatcher;
  readonly values: Map<string, unknown>;
  /** Entries that nobody has read yet. Who reads the last of them may have gone through all. */
  readonly unread: Set<string>;
}

interface WatchedLocals {
  [WATCH]: LocalsWatch;
}

/**
 * Watches `res.locals` in place. It stays an ordinary object, which can be cloned and posted to a worker:
 * each entry gets a getter, and the prototype sees reads of what is absent.
 *
 * @returns Ends the watch and leaves the entries as they are by then.
 */
export function watchLocals(locals: object, watcher: ContainerWatcher): () => void {
  const keys = Object.keys(locals).filter(
    (key) => Object.getOwnPropertyDescriptor(locals, key)?.configurable === true,
  );
  const values = new Map(keys.map((key) => [key, (locals as Record<string, unknown>)[key]]));
  const prototype: object | null = Object.getPrototypeOf(locals);
  const watch: LocalsWatch = { watcher, values, unread: new Set(keys) };
  Object.defineProperty(locals, WATCH, { configurable: true, value: watch });
  for (const key of keys) Object.defineProperty(locals, key, descriptorOf(key));
  Object.setPrototypeOf(locals, watchingPrototype(prototype));
  activeLocals.add(watcher);
  return () => {
    activeLocals.delete(watcher);
    Object.setPrototypeOf(locals, prototype);
    delete (locals as Partial<WatchedLocals>)[WATCH];
    for (const key of keys) {
      const own = Object.getOwnPropertyDescriptor(locals, key);
      if (own?.get !== descriptorOf(key).get) continue;
      Object.defineProperty(locals, key, { ...PLAIN, value: values.get(key) });
    }
  };
}

/** The entries as they are now, in an object that nobody watches. */
export function copyOfLocals(locals: object): object {
  const watch = (locals as Partial<WatchedLocals>)[WATCH];
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(locals)) {
    const own = Object.getOwnPropertyDescriptor(locals, key)!;
    copy[key] = own.get === undefined ? own.value : watch?.values.get(key);
  }
  return copy;
}

/** Watchers whose `res.locals` are watched now. */
const activeLocals = new Set<ContainerWatcher>();

const PLAIN = { configurable: true, enumerable: true, writable: true };

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
      const { watcher, values, unread } = this[WATCH];
      watcher.noteField('locals', key);
      unread.delete(key);
      if (unread.size === 0) watcher.noteNames('locals');
      return values.get(key);
    },
    set(this: WatchedLocals, value: unknown) {
      const { watcher, values } = this[WATCH];
      watcher.noteWritten('locals', key);
      values.set(key, value);
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
      if (key === 'toJSON' || key === inspect.custom) watch.watcher.noteAllFields('locals');
      else if (typeof key === 'string' && !(key in target) && !NOT_ENTRIES.has(key)) {
        watch.watcher.noteField('locals', key);
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
    receiver[WATCH]!.watcher.noteWritten('locals', key);
    return Reflect.defineProperty(receiver, key, { ...PLAIN, value });
  },
};
