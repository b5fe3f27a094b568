import { RECORDER } from './peek';
import { activeWatchers, type HeaderWatcher } from './watched-headers';

/** Told what happens to the properties of a request and its response. */
export interface PropertyWatcher {
  /** Called for whoever reads an own property. */
  readOwn(scope: 'req' | 'res', key: string | symbol): unknown;
  /** Called for whoever sets an own property. */
  writeOwn(scope: 'req' | 'res', key: string | symbol, value: unknown): void;
  /** Called for whoever reads a name that the object does not have of its own. */
  readAbsent(scope: 'req' | 'res', key: string | symbol, isInherited: boolean): void;
  /** Called as something new is put on the object. */
  writeAbsent(scope: 'req' | 'res', key: string | symbol, value: unknown, holder: object): boolean;
  /** Reads an inherited property. */
  readInherited(key: string | symbol, read: () => unknown): unknown;
}

interface Watched {
  [RECORDER]?: PropertyWatcher;
}

function isPropertyWatcher(watcher: HeaderWatcher): watcher is HeaderWatcher & PropertyWatcher {
  return typeof (watcher as Partial<PropertyWatcher>).readAbsent === 'function';
}

/** Notes that middleware has left state under this key on a response. */
export function meetOnResponse(key: string | symbol): void {
  if (metOnResponses.size < MAX_ACCESSORS) metOnResponses.add(key);
}

/** Whether middleware of this process has ever left state under this key on a response. */
export function isMetOnResponses(key: string | symbol): boolean {
  return metOnResponses.has(key);
}

/** Whether a request has a prototype that sees reads of what is absent. */
export function hasWatchingPrototype(holder: object): boolean {
  return watchingPrototypes.has(Object.getPrototypeOf(holder));
}

/** Gives an object a prototype that sees reads of what is absent, unless it has one. */
export function watchPrototype(scope: 'req' | 'res', holder: object): void {
  if (hasWatchingPrototype(holder)) return;
  Object.setPrototypeOf(holder, watchingPrototype(scope, Object.getPrototypeOf(holder)));
}

/** An own property of a request or response, as it was before it was watched. */
export interface Own {
  readonly value?: unknown;
  readonly get?: () => unknown;
  readonly set?: (value: unknown) => void;
  /** Whether an outer cache watches it, too. */
  readonly isOuters?: true;
  /** Whether the code inside has set it. */
  readonly isMade?: true;
}

/** State that middleware of this process has left on a response before. */
const metOnResponses = new Set<string | symbol>();

/** Shared by all requests, since V8 makes a hidden class for each pair of functions. */
const accessors = {
  req: { enumerable: newAccessors(), hidden: newAccessors() },
  res: { enumerable: newAccessors(), hidden: newAccessors() },
};
const MAX_ACCESSORS = 1000;

function newAccessors(): Map<string | symbol, PropertyDescriptor> {
  return new Map();
}

export function accessorOf(
  scope: 'req' | 'res',
  key: string | symbol,
  isEnumerable: boolean,
): PropertyDescriptor {
  const known = accessors[scope][isEnumerable ? 'enumerable' : 'hidden'];
  let accessor = known.get(key);
  if (accessor === undefined) {
    accessor = {
      configurable: true,
      enumerable: isEnumerable,
      get(this: Watched) {
        return this[RECORDER]?.readOwn(scope, key);
      },
      set(this: Watched, value: unknown) {
        this[RECORDER]?.writeOwn(scope, key, value);
      },
    };
    if (known.size < MAX_ACCESSORS) known.set(key, accessor);
  }
  return accessor;
}

/** Prototypes that see reads of absent properties, by the prototypes that they stand before. */
const watchingOf = { req: new WeakMap<object, object>(), res: new WeakMap<object, object>() };
const watchingPrototypes = new WeakSet<object>();

function watchingPrototype(scope: 'req' | 'res', prototype: object): object {
  const known = watchingOf[scope].get(prototype);
  if (known !== undefined) return known;
  const watching = new Proxy(prototype, new AbsentHandler(scope));
  watchingOf[scope].set(prototype, watching);
  watchingPrototypes.add(watching);
  return watching;
}

class AbsentHandler implements ProxyHandler<object> {
  readonly #scope: 'req' | 'res';

  constructor(scope: 'req' | 'res') {
    this.#scope = scope;
  }

  get(target: object, key: string | symbol, receiver: Watched): unknown {
    const recorder = key === RECORDER ? undefined : receiver[RECORDER];
    if (recorder === undefined) return Reflect.get(target, key, receiver);
    const read = () => Reflect.get(target, key, receiver);
    recorder.readAbsent(this.#scope, key, key in target);
    return recorder.readInherited(key, read);
  }

  /** So that `req instanceof IncomingMessage` holds. */
  getPrototypeOf(target: object): object {
    return target;
  }

  has(target: object, key: string | symbol): boolean {
    const isThere = Reflect.has(target, key);
    if (!isThere) {
      for (const watcher of activeWatchers) {
        if (isPropertyWatcher(watcher)) watcher.readAbsent(this.#scope, key, false);
      }
    }
    return isThere;
  }

  set(target: object, key: string | symbol, value: unknown, receiver: Watched): boolean {
    const recorder = receiver[RECORDER];
    if (recorder === undefined || key in target) return Reflect.set(target, key, value, receiver);
    return recorder.writeAbsent(this.#scope, key, value, receiver as object);
  }
}
