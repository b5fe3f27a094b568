import type { IncomingHttpHeaders } from 'node:http';
import type { BaseCache, MaybePromise } from '../cache/base-cache';
import { PageRecord } from './page-record';
import {
  backendOf,
  type PageCacheFailure,
  type PageSettings,
  reportFailure,
} from './page-settings';
import { type PageKey, variantKey, variantOf } from './request-key';
import type { StoredResponse } from './stored-response';

/**
 * The response stored for this page and these request headers, fresh or not. A page that does not
 * vary takes one look-up, one that varies two. A backend that fails is a miss.
 */
export function findResponse(
  settings: PageSettings,
  key: PageKey,
  headers: IncomingHttpHeaders,
): MaybePromise<StoredResponse | undefined> {
  return after(readRecord(settings, key.base, key.url, ''), (record) => {
    if (record === undefined) return undefined;
    const variant = variantOf(record.vary, headers);
    if (variant === '') return record.response;
    const found = readRecord(settings, variantKey(key, variant), key.url, variant);
    return after(found, (variantRecord) => variantRecord?.response);
  });
}

/**
 * Names of the headers that the page is known to vary on; `undefined` if nothing is known of it.
 */
export function findVary(
  settings: PageSettings,
  key: PageKey,
): MaybePromise<readonly string[] | undefined> {
  return after(readRecord(settings, key.base, key.url, ''), (record) => record?.vary);
}

/**
 * Stores a response for the headers of the request that it answered, and the list of the headers
 * it varies on where the next request looks first. A list that differs from the one before makes
 * the older variants unreachable, as in Django.
 */
export async function storeResponse(
  settings: PageSettings,
  key: PageKey,
  vary: readonly string[],
  headers: IncomingHttpHeaders,
  response: StoredResponse,
): Promise<void> {
  const variant = variantOf(vary, headers);
  const { staleAt } = response;
  if (variant !== '') await keepVaryList(settings, key, vary, staleAt);
  const storedUnder = variantKey(key, variant);
  await writeRecord(
    settings,
    new PageRecord(storedUnder, key.url, variant, vary, response, staleAt),
  );
}

/** Makes sure that the page's vary list is this one and lives at least until `expiresAt`. */
export async function keepVaryList(
  settings: PageSettings,
  key: PageKey,
  vary: readonly string[],
  expiresAt: number,
): Promise<void> {
  const known = await readRecord(settings, key.base, key.url, '');
  const isSame = known !== undefined && known.vary.join() === vary.join();
  if (isSame && known.expiresAt >= expiresAt) return;
  // The response kept beside the list answers requests that send none of the headers.
  const response = isSame ? known.response : undefined;
  await writeRecord(settings, new PageRecord(key.base, key.url, '', vary, response, expiresAt));
}

/** The record under `key`, if it is that of this page: digests collide, stores are tampered with. */
function readRecord(
  settings: PageSettings,
  key: string,
  url: string,
  variant: string,
): MaybePromise<PageRecord | undefined> {
  const check = (found: unknown): PageRecord | undefined => {
    if (found === undefined) return undefined;
    const record = found instanceof PageRecord ? found : PageRecord.from(found as Uint8Array);
    const isOwn = record?.key === key && record.url === url && record.variant === variant;
    if (isOwn) return record;
    const fault = record === undefined ? 'is not a whole page' : `is that of ${record.url}`;
    return failed(settings, new Error(`The entry ${fault}.`), 'read', key);
  };
  try {
    const found = backendOf(settings).getFrozen(key);
    if (!(found instanceof Promise)) return check(found);
    return found.then(check).catch((error) => failed(settings, error, 'read', key));
  } catch (error) {
    return failed(settings, error, 'read', key);
  }
}

async function writeRecord(settings: PageSettings, record: PageRecord): Promise<void> {
  try {
    const cache: BaseCache = backendOf(settings);
    // Servers count in whole seconds; the record's own instant decides within the last one.
    const seconds = Math.ceil((record.expiresAt - Date.now()) / 1000);
    if (seconds > 0) await cache.setFrozen(record.key, record, seconds);
  } catch (error) {
    failed(settings, error, 'write', record.key);
  }
}

function failed(
  settings: PageSettings,
  error: unknown,
  operation: PageCacheFailure['operation'],
  key: string,
): undefined {
  reportFailure(settings, error, { operation, key });
  return undefined;
}

/** `then`, but at once for a value that is there already. */
export function after<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
