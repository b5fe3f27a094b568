import type { FrozenValue } from '../cache/frozen-value';
import type { Counters } from '../cache/tags';
import { decodeFrame, encodeFrame, type FrameParts } from './frame';
import { StoredResponse } from './stored-response';

/**
 * What the cache holds under a page's key: the inputs of the URL, and the response for this key, if
 * there is one. The record of the variant without any input answers a page that depends on nothing in
 * one look-up. For other pages it leads on to the variants.
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
    /** Values of the inputs it was stored for, see `variantOf`. */
    readonly variant: string,
    /** Names of the inputs of the URL, sorted. */
    readonly inputs: readonly string[],
    readonly response: StoredResponse | undefined,
    /** When the record as a whole is of no more use, epoch milliseconds. */
    readonly expiresAt: number,
    /**
     * Ties the variants of a URL to its list of inputs. Variants of a list that was lost or purged
     * are out of reach, although their keys may be the same again.
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
    const { key, url, variant, inputs, expiresAt, generation, counters } = parts;
    const response = parts.response && new StoredResponse(parts.response);
    return new PageRecord(key, url, variant, inputs, response, expiresAt, generation, counters);
  }

  toBytes(): Buffer {
    return encodeFrame(this);
  }
}
