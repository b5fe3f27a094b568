import { hash } from 'node:crypto';

/** Bytes of text that a value may come to. A larger one is not worth comparing at each look-up. */
const MAX_LENGTH = 64 * 1024;

/** Fields, or entries, of which an object has so many that their text is longer than that for certain. */
const MAX_FIELDS = MAX_LENGTH / 4;

/** Texts up to this length are kept as they are, since a hash would not be shorter. */
const SHORT = 24;

/** A value that cannot be compared: a closure, something cyclic, too large, or hidden in `#private`. */
export const OPAQUE = Symbol('opaque');

/**
 * Names a function, or an object that hides its fields, if it is a constant of the program; `undefined` if
 * each request has its own.
 */
export type NameFunction = (fn: object, path: string) => string | undefined;

const never: NameFunction = () => undefined;

/**
 * A short text that is equal for equal values, and different for different ones; `undefined` for
 * `undefined`. It covers the type and the own enumerable fields of any class, recursively.
 *
 * @param nameFunction - Asked for each function that is found.
 */
export function digestOf(
  value: unknown,
  nameFunction: NameFunction = never,
): string | undefined | typeof OPAQUE {
  switch (typeof value) {
    case 'undefined':
      return undefined;
    case 'string':
      return short(`s${value}`);
    case 'number':
    case 'boolean':
    case 'bigint':
      return `${(typeof value)[0]}${value}`;
    case 'symbol':
      return OPAQUE;
    default:
  }
  if (value === null) return 'null';
  const digest = new Digest(nameFunction);
  return digest.add(value, '') ? short(digest.text) : OPAQUE;
}

function short(text: string): string {
  return text.length <= SHORT && !/[\n,]/.test(text) ? text : `#${hash('sha1', text, 'base64url')}`;
}

/** Objects that were found to have too many fields. To count them takes long, and is done once. */
const large = new WeakSet<object>();

function tooLarge(value: object): false {
  large.add(value);
  return false;
}

class Digest {
  text = '';
  readonly #nameFunction: NameFunction;
  /** The objects that the present one is part of. */
  readonly #path = new Set<object>();

  constructor(nameFunction: NameFunction) {
    this.#nameFunction = nameFunction;
  }

  /** @returns `false` if the value cannot be compared */
  add(value: unknown, path: string): boolean {
    if (this.text.length > MAX_LENGTH) return false;
    switch (typeof value) {
      case 'string':
        this.text += `s${value.length}:${value}`;
        return true;
      case 'number':
      case 'boolean':
      case 'bigint':
      case 'undefined':
        this.text += `${(typeof value)[0]}${String(value)};`;
        return true;
      case 'symbol':
        return false;
      case 'function': {
        const name = this.#nameFunction(value, path);
        this.text += `f${name};`;
        return name !== undefined;
      }
      default:
    }
    if (value === null) {
      this.text += '0';
      return true;
    }
    return this.#addObject(value as object, path);
  }

  #addObject(value: object, path: string): boolean {
    if (this.#path.has(value) || large.has(value)) return false;
    this.#path.add(value);
    const isDone = this.#addFields(value, path);
    this.#path.delete(value);
    return isDone;
  }

  #addFields(value: object, path: string): boolean {
    if (Array.isArray(value)) {
      if (value.length > MAX_FIELDS) return tooLarge(value);
      this.text += `[${value.length}:`;
      if (!value.every((item, i) => this.add(item, `${path}[${i}]`))) return false;
      // Most have nothing beside their items.
      const keys = Object.keys(value);
      return keys.length <= value.length || this.#addKeys(value, keys.slice(value.length), path);
    }
    if (value instanceof Date) return this.#addText('D', String(value.getTime()));
    if (ArrayBuffer.isView(value)) {
      const { buffer, byteOffset, byteLength } = value;
      if (byteLength > MAX_LENGTH) return false;
      return this.#addText('B', Buffer.from(buffer, byteOffset, byteLength).toString('base64'));
    }
    if (value instanceof Map || value instanceof Set) {
      if (value.size > MAX_FIELDS) return tooLarge(value);
      this.text += `${value instanceof Map ? 'M' : 'S'}${value.size}:`;
      if (![...value].every((entry) => this.add(entry, `${path}{}`))) return false;
      return this.#addKeys(value, Object.keys(value), path);
    }
    if (value instanceof RegExp) return this.#addText('R', String(value));
    if (value instanceof Error) this.#addText('E', String(value.message));
    const keys = Object.keys(value);
    if (keys.length > MAX_FIELDS) return tooLarge(value);
    const name = nameOfClass(value);
    this.text += `{${name}:${keys.length}:`;
    if (keys.length === 0 && name !== '') return this.#addHidden(value, path);
    return this.#addKeys(value, keys.sort(), path) && this.#addInherited(value, path);
  }

  #addKeys(value: object, keys: readonly string[], path: string): boolean {
    const fields = value as Record<string | symbol, unknown>;
    for (const key of keys) {
      this.text += `${key.length}:${key}`;
      if (!this.add(fields[key], `${path}.${key}`)) return false;
    }
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, symbol)) continue;
      this.text += `y${symbol.description?.length}:${symbol.description}`;
      if (!this.add(fields[symbol], `${path}.${String(symbol)}`)) return false;
    }
    return true;
  }

  /** What comes from an object that this one was made on top of, as by `Object.create(user)`. */
  #addInherited(value: object, path: string): boolean {
    const prototype: object | null = Object.getPrototypeOf(value);
    const isOfClass =
      prototype === null ||
      prototype === Object.prototype ||
      Object.hasOwn(prototype, 'constructor') ||
      Reflect.ownKeys(prototype).length === 0;
    return isOfClass || this.add(prototype, `${path}.prototype`);
  }

  /** An object without visible fields tells its value, or keeps it in fields that nobody sees. */
  #addHidden(value: object, path: string): boolean {
    const { toJSON } = value as { toJSON?: () => unknown };
    if (typeof toJSON === 'function') return this.add(toJSON.call(value), `${path}.toJSON()`);
    // A service that all requests share is as constant as a function.
    const name = this.#nameFunction(value, path);
    this.text += `${name};`;
    return name !== undefined;
  }

  #addText(type: string, text: string): boolean {
    this.text += `${type}${text.length}:${text}`;
    return true;
  }
}

/** `''` for plain objects. */
function nameOfClass(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return '';
  const { constructor: made } = value as { constructor?: { name?: unknown } };
  // A plain object that is watched has a prototype of its own.
  if (made === Object) return '';
  return typeof made === 'function' ? `${made.name || '?'}` : '?';
}
