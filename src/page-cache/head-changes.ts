import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { appendVary } from '../http/vary';
import type { FieldList } from './stored-response';

/** The fields of a head that was not sent yet, by name in lower case. */
export type Head = ReadonlyMap<string, string | readonly string[]>;

/** What the code inside the cache did to a head. */
export interface HeadChanges {
  /** Names in lower case of the fields that it has set. */
  readonly set: ReadonlySet<string>;
  /** Values that it has added to fields which were there. */
  readonly added: ReadonlyMap<string, readonly string[]>;
  /** Names in lower case of the fields that it has removed. */
  readonly removed: readonly string[];
}

export function headOf(res: ServerResponse): Head {
  const head = new Map<string, string | readonly string[]>();
  for (const name of res.getHeaderNames()) head.set(name, textOf(res.getHeader(name)!));
  return head;
}

function textOf(value: OutgoingHttpHeader): string | readonly string[] {
  return Array.isArray(value) ? value.map(String) : String(value);
}

/** Compares the head at the look-up with the one that the code inside sends. */
export function changesBetween(before: Head, after: Head): HeadChanges {
  const set = new Set<string>();
  const added = new Map<string, readonly string[]>();
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old === undefined) set.add(name);
    else if (!isSame(old, value)) {
      const more = additionTo(old, value);
      if (more === undefined) set.add(name);
      else added.set(name, more);
    }
  }
  const removed = [...before.keys()].filter((name) => !after.has(name));
  return { set, added, removed };
}

function isSame(a: string | readonly string[], b: string | readonly string[]): boolean {
  return typeof a === 'string' || typeof b === 'string'
    ? a === b
    : a.length === b.length && a.every((line, i) => line === b[i]);
}

/** What was added behind the old value; `undefined` if it was replaced. */
function additionTo(
  old: string | readonly string[],
  value: string | readonly string[],
): readonly string[] | undefined {
  const before = typeof old === 'string' ? [old] : old;
  if (typeof value !== 'string') {
    const isKept = before.every((line, i) => line === value[i]);
    return isKept ? value.slice(before.length) : undefined;
  }
  const start = `${before.join(', ')}, `;
  return value.startsWith(start) ? [value.slice(start.length)] : undefined;
}

/** Fields that describe the bytes, which middleware between the recorder and the code inside has made. */
const OF_THE_BYTES = new Set(['content-encoding', 'content-length', 'etag']);

/**
 * The fields of a recorded head that are stored: what the code inside has set, what describes the
 * recorded bytes, and what the cache itself has set. Other middleware sets its fields on each hit.
 *
 * @param own - Names in lower case of the fields that the cache itself has set.
 */
export function fieldsToStore(
  fields: FieldList,
  inside: Head,
  changes: HeadChanges,
  own: ReadonlySet<string>,
): FieldList {
  const kept: (string | readonly string[])[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    const value = fields[i + 1]!;
    if (changes.set.has(name)) {
      // As the code inside has sent it, unless the cache, or what made the bytes, knows better.
      const isLater = own.has(name) || OF_THE_BYTES.has(name) || name === 'vary';
      kept.push(fields[i]!, isLater ? value : (inside.get(name) ?? value));
      continue;
    }
    const isChanged = !isSame(inside.get(name) ?? '', value);
    if (own.has(name) || (isChanged && (OF_THE_BYTES.has(name) || name === 'vary'))) {
      kept.push(fields[i]!, value);
    }
  }
  return kept;
}

/** Puts stored fields on a response that has fields of its own, which stay. */
export function putFields(
  res: ServerResponse,
  fields: FieldList,
  added: FieldList,
  removed: readonly string[],
): void {
  for (const name of removed) res.removeHeader(name);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1]!;
    if (name.toLowerCase() === 'vary') addVary(res, value);
    // A list of its own: middleware adds to those that it finds on a response, as packages for cookies do.
    else res.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  for (let i = 0; i < added.length; i += 2) addLines(res, added[i] as string, added[i + 1]!);
}

function addVary(res: ServerResponse, value: string | readonly string[]): void {
  const existing = res.getHeader('Vary');
  if (existing === undefined) {
    res.setHeader('Vary', typeof value === 'string' ? value : [...value]);
    return;
  }
  const names = (typeof value === 'string' ? value : value.join(',')).split(',');
  res.setHeader(
    'Vary',
    appendVary(
      existing as string,
      names.map((name) => name.trim()),
    ),
  );
}

function addLines(res: ServerResponse, name: string, value: string | readonly string[]): void {
  const lines = typeof value === 'string' ? [value] : value;
  if (name === 'vary') {
    addVary(res, lines);
    return;
  }
  const existing = res.getHeader(name);
  if (existing === undefined) res.setHeader(name, lines.length === 1 ? lines[0]! : [...lines]);
  else if (Array.isArray(existing)) res.setHeader(name, [...existing, ...lines]);
  else if (name === 'set-cookie') res.setHeader(name, [String(existing), ...lines]);
  else res.setHeader(name, [String(existing), ...lines].join(', '));
}
