const WATCH = Symbol('cachewright.object');

interface Watched {
  [WATCH]?: () => void;
}

/** Prototypes that tell of reads of what is absent, by the prototypes that they stand before. */
const prototypes = new WeakMap<object, object>();

/**
 * Tells when a field of a plain object is read. The object stays the same: it is one that middleware gives
 * out through a property which cannot be redefined, as `client-sessions` does.
 *
 * @returns Ends the watch and leaves the object as it was, with what was written meanwhile;
 *   `undefined` if the object cannot be watched.
 */
export function watchObject(object: object, onRead: () => void): (() => void) | undefined {
  if (!Object.isExtensible(object) || WATCH in object) return undefined;
  const descriptors = Object.getOwnPropertyDescriptors(object) as Record<
    string,
    PropertyDescriptor
  >;
  const fields = Object.keys(object);
  if (fields.some((field) => descriptors[field]?.configurable !== true)) return undefined;
  const prototype: object | null = Object.getPrototypeOf(object);
  Object.defineProperty(object, WATCH, { configurable: true, value: onRead });
  Object.setPrototypeOf(object, watchingPrototype(prototype ?? Object.create(null)));
  for (const field of fields) {
    let own = descriptors[field]!;
    Object.defineProperty(object, field, {
      configurable: true,
      enumerable: own.enumerable ?? true,
      get() {
        onRead();
        return own.get === undefined ? own.value : own.get.call(object);
      },
      set(value: unknown) {
        if (own.set !== undefined) own.set.call(object, value);
        else own = { ...own, value };
      },
    });
    descriptors[field] = { get: () => own } as PropertyDescriptor;
  }
  return () => {
    Object.setPrototypeOf(object, prototype);
    delete (object as Watched)[WATCH];
    for (const field of fields) {
      if (!Object.hasOwn(object, field)) continue;
      const current = Object.getOwnPropertyDescriptor(object, field)!;
      const original = descriptors[field]!.get!() as PropertyDescriptor;
      if (current.get !== undefined) Object.defineProperty(object, field, original);
    }
  };
}

function watchingPrototype(prototype: object): object {
  let watching = prototypes.get(prototype);
  if (watching === undefined) {
    watching = new Proxy(prototype, {
      get(target, key, receiver: Watched) {
        if (key !== WATCH && typeof key === 'string' && !(key in target)) receiver[WATCH]?.();
        return Reflect.get(target, key, receiver);
      },
    });
    prototypes.set(prototype, watching);
  }
  return watching;
}
