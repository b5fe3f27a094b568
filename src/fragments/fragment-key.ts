import { hash } from 'node:crypto';

/**
 * The key under which a fragment is stored, to delete it by.
 *
 * @param name - The fragment's name.
 * @param varyOn - What it varies on, in the same order as where it is rendered. `undefined` and
 *   `null` count as `''`, numbers and strings of the same digits as the same; dates count to the
 *   millisecond.
 * @throws TypeError if the name is no string, or an item has no text that tells it from others.
 * @see Django's `make_template_fragment_key`
 * @example
 * await cache.delete(makeTemplateFragmentKey('sidebar', [user.name]));
 */
export function makeTemplateFragmentKey(name: string, varyOn: Iterable<unknown> = []): string {
  if (typeof name !== 'string') {
    throw new TypeError(`The name of a fragment is a string, but got ${String(name)}.`);
  }
  const fragment = `Fragment ${JSON.stringify(name)}`;
  if (typeof varyOn === 'string' || typeof varyOn?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`${fragment} is to vary on ${String(varyOn)}. Give an array.`);
  }
  let text = '';
  let position = 0;
  for (const item of varyOn) {
    position++;
    text += `${textOf(item, `${fragment}: item ${position} of what it varies on`)}:`;
  }
  return `template.cache.${name}.${hash('md5', text)}`;
}

/** @throws TypeError if others may have the same text, and one be shown what is another's. */
function textOf(item: unknown, what: string): string {
  if (item === undefined || item === null) return '';
  if (typeof item === 'symbol' || typeof item === 'function') {
    throw new TypeError(`${what} is a ${typeof item}. Give a string or a number.`);
  }
  if (item instanceof Date && !Number.isNaN(item.getTime())) return item.toISOString();
  // As text, bytes that are none would be the same as others.
  if (item instanceof Uint8Array) return Buffer.from(item).toString('hex');
  const text = Array.isArray(item)
    ? item.map((element) => textOf(element, what)).join()
    : String(item);
  if (typeof item === 'object' && /^\[object .*\]$/.test(text)) {
    throw new TypeError(
      `${what} is an object without a text of its own. Give what tells it from others, such as its id.`,
    );
  }
  return text;
}
