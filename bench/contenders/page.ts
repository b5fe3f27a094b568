import { createHash } from 'node:crypto';

/** A page of JSON, as the value that a handler renders and as what is sent. */
export interface Page {
  readonly value: unknown;
  readonly body: Buffer;
  /** What Express sends with it, as names and values in turn. */
  readonly headers: readonly string[];
}

/** So that caches in front, which go by headers alone, keep it as long as the others. */
export const CACHE_CONTROL = 'public, max-age=3600';

/** A page of so many bytes: a list of things. */
export function pageOf(bytes: number): Page {
  const empty = JSON.stringify({ things: [], note: '' }).length;
  const each = JSON.stringify(thing(0)).length + 1;
  const count = Math.floor((bytes - empty) / each);
  const things = Array.from({ length: count }, (_, i) => thing(i));
  const rest = bytes - JSON.stringify({ things, note: '' }).length;
  const value = { things, note: '.'.repeat(rest) };
  const body = Buffer.from(JSON.stringify(value));
  const digest = createHash('sha1').update(body).digest('base64').slice(0, 27);
  const headers = [
    ['Cache-Control', CACHE_CONTROL],
    ['Content-Type', 'application/json; charset=utf-8'],
    ['Content-Length', String(body.length)],
    ['ETag', `W/"${bytes.toString(16)}-${digest}"`],
  ].flat();
  return { value, body, headers };
}

/** All are of one length. */
function thing(i: number) {
  return {
    id: 100_000 + i,
    name: `Thing ${100_000 + i}`,
    price: { amount: 10.25 + (i % 80), currency: 'EUR' },
    tags: ['new', 'blue', 'garden'],
    isAvailable: true,
  };
}
