import type { FrozenValue } from '../cache/frozen-value';
import type { Counters } from '../cache/tags';
import { decodeFrame, encodeFrame, type FrameParts } from './frame';
import { StoredResponse } from './stored-response';

/**
 * What the cache holds under a page's key: the headers the page varies on, and the response for
 * this key, if there is one. The record without varying headers answers a page that varies on
 * nothing in one look-up; for a page that varies it leads on to the variants.
 */
export class PageRecord implements FrozenValue, FrameParts {
  /** Memory it takes in local memory, roughly. */
  readonly byteLength: number;
  /** Until when in the order of purges it is known to be valid, in local memory. */
  validAt = -1;

  constructor(
    /** The key it was stored under, without the alias's prefix and version. */
    readonly key: string,
    /** Absolute URL it was stored for. */
    readonly url: string,
    /** Varying headers it was stored for, see `variantOf`. */
    readonly variant: string,
    /** Names of the headers the page varies on: lower case, sorted. */
    readonly vary: readonly string[],
    readonly response: StoredResponse | undefined,
    /** When the record as a whole is of no more use, epoch milliseconds. */
    readonly expiresAt: number,
    /**
     * Ties the variants of a page to its vary list: those of another list, gone or replaced, are
     * out of reach, although their keys come to be the same again.
     */
    readonly generation: number,
    /** Of its tags, as they stood when the response began to be made. */
    readonly counters: Counters,
  ) {
    let length = 200 + 2 * (key.length + url.length + variant.length) + 64 * counters.size;
    if (response !== undefined) {
      length += response.body.length;
      for (const part of response.fields) length += 16 + 2 * part.length;
    }
    this.byteLength = length;
  }

  /** The record whose bytes these are; `undefined` if they are anything but one whole frame. */
  static from(bytes: Uint8Array): PageRecord | undefined {
    const parts = decodeFrame(bytes);
    if (parts === undefined) return undefined;
    const { key, url, variant, vary, expiresAt, generation, counters } = parts;
    const response = parts.response && new StoredResponse(parts.response);
    return new PageRecord(key, url, variant, vary, response, expiresAt, generation, counters);
  }

  toBytes(): Buffer {
    return encodeFrame(this);
  }
}
