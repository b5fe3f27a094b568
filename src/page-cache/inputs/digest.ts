import { hash } from 'node:crypto';

/** Bytes of text that a value may come to. A larger one is not worth comparing at each look-up. */
const MAX_LENGTH = 64 * 1024;

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
    if (this.#path.has(value)) return false;
    this.#path.add(value);
    const isDone = this.#addFields(value, path);
    this.#path.delete(value);
    return isDone;
  }

  #addFields(value: object, path: string): boolean {
    if (Array.isArray(value)) {
      this.text += `[${value.length}:`;
      return value.every((item, i) => this.add(item, `${path}[${i}]`));
    }
    if (value instanceof Date) return this.#addText('D', String(value.getTime()));
    if (ArrayBuffer.isView(value)) {
      const { buffer, byteOffset, byteLength } = value;
      if (byteLength > MAX_LENGTH) return false;
      return this.#addText('B', Buffer.from(buffer, byteOffset, byteLength).toString('base64'));
    }
    if (value instanceof Map || value instanceof Set) {
      this.text += `${value instanceof Map ? 'M' : 'S'}${value.size}:`;
      return [...value].every((entry) => this.add(entry, `${path}{}`));
    }
    if (value instanceof RegExp) return this.#addText('R', String(value));
    const keys = Object.keys(value).sort();
    const name = nameOfClass(value);
    this.text += `{${name}:${keys.length}:`;
    if (keys.length === 0 && name !== '') return this.#addHidden(value, path);
    const fields = value as Record<string, unknown>;
    for (const key of keys) {
      this.text += `${key.length}:${key}`;
      if (!this.add(fields[key], `${path}.${key}`)) return false;
    }
    return true;
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
  if (typeof made !== 'function') return '?';
  // One that is watched has another prototype for a while.
  return made === Object ? '' : made.name || '?';
}
