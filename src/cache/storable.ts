import { CacheValueError } from '../errors';

const TypedArray = Object.getPrototypeOf(Uint8Array);

/**
 * These survive MessagePack as what they are. By class, as it does: those of another realm, such as
 * a `vm` context's, would become plain objects, and are refused.
 */
const MSGPACK_CLASSES = [Date, RegExp, ArrayBuffer, TypedArray];

/** What a Map becomes for MessagePack, whose own maps are read back as objects: keys, values. */
export class MapPairs {
  constructor(readonly flat: unknown[]) {}

  toMap(): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < this.flat.length; i += 2) map.set(this.flat[i], this.flat[i + 1]);
    return map;
  }
}

/**
 * Returns `value` in a form a serializer keeps whole, or throws a {@link CacheValueError} that
 * tells where in the value the fault lies. Objects, lists, Maps and Sets are returned as copies: each
 * property is read once, as a getter may have another answer the next time, and what was checked is
 * what is stored.
 */
export function assertStorable(value: unknown, format: 'msgpack' | 'json'): unknown {
  return walk(value, format, [], '');
}

function walk(value: unknown, format: string, ancestors: object[], path: string): unknown {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      if (format === 'json' && !Number.isFinite(value)) break;
      return value;
    case 'string':
      // A lone surrogate has no UTF-8 form and would be read back as another character.
      if (!value.isWellFormed()) break;
      return format === 'msgpack' ? markedText(value) : value;
    case 'bigint':
      if (format === 'json') break;
      return value;
    case 'undefined':
      // Harmless inside MessagePack, where it is read back as it was; at the top it is a miss.
      if (format === 'json' || path === '') break;
      return value;
    case 'object':
      return value === null ? null : walkObject(value, format, ancestors, path);
  }
  throw refusal(nameOf(value), format, path);
}

function walkObject(value: object, format: string, ancestors: object[], path: string): unknown {
  if (ancestors.includes(value)) throw refusal('a cycle', format, path);
  ancestors.push(value);
  try {
    if (Array.isArray(value)) return walkArray(value, format, ancestors, path);
    if (format === 'msgpack') {
      if (value instanceof Map) return walkMap(value, format, ancestors, path);
      if (value instanceof Set) {
        return new Set(walkArray([...value], format, ancestors, `${path}.values()`));
      }
      if (MSGPACK_CLASSES.some((Class) => value instanceof Class)) return value;
    }
    return walkRecord(value, format, ancestors, path);
  } finally {
    ancestors.pop();
  }
}

function walkMap(
  map: Map<unknown, unknown>,
  format: string,
  ancestors: object[],
  path: string,
): MapPairs {
  const flat: unknown[] = [];
  for (const [key, item] of map) {
    flat.push(walk(key, format, ancestors, `${path}.keys()`));
    flat.push(walk(item, format, ancestors, `${path}.get(${nameOf(key)})`));
  }
  return new MapPairs(flat);
}

function walkArray(
  array: unknown[],
  format: string,
  ancestors: object[],
  path: string,
): readonly unknown[] {
  const copy: unknown[] = [];
  for (let i = 0; i < array.length; i++) {
    copy.push(walk(array[i], format, ancestors, `${path}[${i}]`));
  }
  return copy;
}

function walkRecord(value: object, format: string, ancestors: object[], path: string): unknown {
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  const tag = Object.prototype.toString.call(value);
  // Dates and Buffers have a toJSON() too, but would be read back as text and as an object.
  if (!isPlain && tag !== '[object Date]' && !ArrayBuffer.isView(value)) {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      return walk(toJSON.call(value), format, ancestors, `${path}.toJSON()`);
    }
  }
  // Promises, WeakMaps, generators: objects whose state is not in their properties, and would be
  // read back as `{}`.
  if (tag !== '[object Object]') throw refusal(nameOf(value), format, path);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const isCut = format === 'msgpack' && markedText(key) !== key;
    if (key === '__proto__' || !key.isWellFormed() || isCut) {
      throw refusal(`the property name ${JSON.stringify(key)}`, format, path);
    }
    const member = (value as Record<string, unknown>)[key];
    copy[key] = walk(member, format, ancestors, `${path}.${key}`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw refusal('a property named by a symbol', format, path);
  }
  return copy;
}

/** `text`, so written that msgpackr reads it back whole: of what is long, it drops one such mark. */
function markedText(text: string): string {
  const isCut = text.startsWith('\ufeff') && Buffer.byteLength(text) > 64;
  return isCut ? `\ufeff${text}` : text;
}

function refusal(what: string, format: string, path: string): CacheValueError {
  const where = path === '' ? '' : ` at value${path}`;
  const how = format === 'json' ? ' as JSON' : '';
  return new CacheValueError(
    `The value holds ${what}${where}, which cannot be stored${how} and read back the same.`,
  );
}

function nameOf(value: unknown): string {
  switch (typeof value) {
    case 'function':
      return `a function (${value.name || 'anonymous'})`;
    case 'symbol':
      return String(value);
    case 'string':
      return value.isWellFormed() ? JSON.stringify(value) : 'a string with half a surrogate pair';
    case 'object':
      return value === null ? 'null' : `a ${value.constructor?.name ?? 'object'}`;
    default:
      return String(value);
  }
}
