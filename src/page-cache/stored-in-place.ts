import type { ServerResponse } from 'node:http';
import { type Head, type HeadChanges, headOf, putFields } from './head-changes';
import type { FieldList, StoredResponse } from './stored-response';

/** The head as it was at the look-up, and what the code inside has made of it. */
export interface SentHead {
  readonly before: Head;
  /** `undefined`: the code inside has sent none yet. */
  readonly head?: Head;
  readonly changes?: HeadChanges;
}

/** Puts a stored response in the place of the one that the code inside has sent. */
export function putStored(
  res: ServerResponse,
  stored: StoredResponse,
  fields: FieldList,
  { before, changes }: SentHead,
): void {
  const { set = new Set<string>(), added = new Map<string, unknown>() } = changes ?? {};
  for (const name of [...set, ...added.keys()]) res.removeHeader(name);
  for (const name of added.keys()) res.setHeader(name, before.get(name) as string);
  res.statusCode = stored.status;
  // HTTP/2 has no reason phrase, and Node warns of one.
  if (!('stream' in res)) res.statusMessage = stored.reason;
  putFields(res, fields, stored.added, stored.removed);
}

/** The fields that the code inside has set. */
export function fieldsSent({ head, changes }: SentHead): Map<string, string | readonly string[]> {
  const sent = new Map<string, string | readonly string[]>();
  for (const name of changes?.set ?? []) sent.set(name, head!.get(name)!);
  return sent;
}

/** The fields that the code inside, and the cache, have set on the head as it stands. */
export function fieldsNow(res: ServerResponse, { changes }: SentHead): Head {
  const names = new Set([...(changes?.set ?? []), 'cache-control', 'expires', 'vary']);
  return new Map([...headOf(res)].filter(([name]) => names.has(name)));
}
