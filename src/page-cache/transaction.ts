import type { IncomingHttpHeaders } from 'node:http';
import type { MaybePromise } from '../cache/base-cache';
import type { Next, Request, Response } from '../headers/middleware';
import { patchFreshnessHeaders } from '../headers/patch-freshness';
import { patchVaryHeaders } from '../headers/patch-vary';
import { hasDirective, parseCacheControl } from '../http/cache-control';
import { statedLifetime } from '../http/freshness';
import type { HeaderValue } from '../http/header-value';
import { formatHttpDate } from '../http/http-date';
import { refusalOf } from '../http/storability';
import type { PageSettings } from './page-settings';
import { after, findResponse, storeResponse } from './page-store';
import { type Recording, recordResponse } from './recorder';
import { replay } from './replay';
import { absoluteUrl, mayUseCache, type PageKey, pageKeyFor } from './request-key';
import { StoredResponse } from './stored-response';
import { varyingNames } from './varying-names';

/**
 * How far a request has come: `open`, not looked up yet; `passed`, none of the cache's business;
 * `hit`; `missed`, so that its response may be stored.
 */
type State = 'open' | 'passed' | 'hit' | 'missed';

const TRANSACTION = Symbol('cachewright.transaction');

interface TransactionHolder {
  [TRANSACTION]?: PageTransaction;
}

/** Statuses whose headers are patched, as in Django; only the first is stored. */
const STORED_STATUS = 200;
const PATCHED_STATUSES = new Set([STORED_STATUS, 304]);

/**
 * One page cache's dealings with one request: the look-up, and the recording of the response after
 * a miss. Those of nested caches are linked, innermost first.
 */
export class PageTransaction {
  settings: PageSettings;
  readonly #req: Request;
  readonly #res: Response;
  readonly #pageSeconds: number | null;
  readonly #outer: PageTransaction | undefined;
  readonly #method: string | undefined;
  #state: State = 'open';
  #isWatching = false;
  #key: PageKey | undefined;
  /** Request headers as they were looked up; handlers may change them, and the key must not. */
  #headers: IncomingHttpHeaders = {};
  #sentAt = 0;
  #seconds = 0;
  #vary: readonly string[] = [];

  /**
   * @param pageSeconds - The page's own timeout, which goes before all others; `null`: none.
   */
  constructor(
    req: Request,
    res: Response,
    settings: PageSettings,
    pageSeconds: number | null = null,
  ) {
    this.#req = req;
    this.#res = res;
    this.settings = settings;
    this.#pageSeconds = pageSeconds;
    this.#method = req.method;
    const holder = req as TransactionHolder;
    this.#outer = holder[TRANSACTION];
    holder[TRANSACTION] = this;
  }

  /** The innermost transaction of this request that was not looked up yet. */
  static openOn(req: Request): PageTransaction | undefined {
    let transaction = (req as TransactionHolder)[TRANSACTION];
    while (transaction !== undefined && transaction.#state !== 'open') {
      transaction = transaction.#outer;
    }
    return transaction;
  }

  /**
   * Starts to watch the response. Middleware that is mounted later gets its say before the
   * response is recorded. Otherwise the watch begins with the miss.
   */
  watchResponse(): void {
    this.#isWatching = true;
    recordResponse(this.#res, this.#method === 'HEAD', {
      isWanted: () => this.#state === 'missed',
      onHead: () => this.#onHead(),
      onComplete: (recording) => this.#store(recording),
    });
  }

  /** Answers from the cache, or calls `next`. At once where the backend needs no I/O. */
  lookUp(next: Next): void | Promise<void> {
    const req = this.#req;
    const url = mayUseCache(req, this.settings) ? absoluteUrl(req) : undefined;
    // A method overridden on the way is not the one that the client will think was answered.
    if (url === undefined || req.method !== this.#method) {
      this.#state = 'passed';
      next();
      return;
    }
    const found = this.#find(url);
    if (found instanceof Promise) return found.then((response) => this.#answer(response, next));
    this.#answer(found, next);
  }

  /** HEAD is answered by a stored GET, or else by a stored HEAD. */
  #find(url: string): MaybePromise<StoredResponse | undefined> {
    const { settings } = this;
    const { headers } = this.#req;
    const key = pageKeyFor(this.#req, url, 'GET', settings);
    this.#key = key;
    const found = after(findResponse(settings, key, headers), ifFresh);
    if (this.#method === 'GET') return found;
    return after(found, (response) => {
      if (response !== undefined) return response;
      const headKey = pageKeyFor(this.#req, url, 'HEAD', settings);
      this.#key = headKey;
      return after(findResponse(settings, headKey, headers), ifFresh);
    });
  }

  #answer(response: StoredResponse | undefined, next: Next): void {
    if (response === undefined) {
      this.#state = 'missed';
      this.#headers = { ...this.#req.headers };
      if (!this.#isWatching) this.watchResponse();
      next();
      return;
    }
    this.#state = 'hit';
    // What a cache further in has stored is not stored once more, with its life begun anew.
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      outer.#state = 'passed';
    }
    // A timeout that would not wait for the look-up has answered in the meantime.
    if (this.#res.headersSent) return;
    replay(this.#req, this.#res, response);
  }

  /**
   * Decides on the response as its head is sent: patches its headers, and returns the largest body
   * to store; `undefined`: none.
   *
   * @see Django's `UpdateCacheMiddleware.process_response`
   */
  #onHead(): number | undefined {
    const res = this.#res;
    const { settings } = this;
    const status = res.statusCode;
    if (!PATCHED_STATUSES.has(status) || this.#isEndless()) return undefined;

    const cacheControl = header(res, 'cache-control');
    const fields = {
      cacheControl,
      vary: header(res, 'vary'),
      setCookie: header(res, 'set-cookie'),
    };
    if (refusalOf(fields, settings) !== undefined) return undefined;

    const stated = statedLifetime(cacheControl);
    let seconds = this.#pageSeconds;
    if (seconds === null) {
      seconds = stated?.seconds ?? settings.seconds;
      if (seconds === null || stated?.seconds === 0) return undefined;
    }
    // Credentials single out a visitor, unless the response says that it is for all.
    const { authorization } = this.#headers;
    if (authorization !== undefined && authorization !== '') {
      if (!hasDirective(parseCacheControl(cacheControl), 'public')) {
        patchVaryHeaders(res, ['Authorization']);
      }
    }
    // A lifetime meant for shared caches says nothing of how long a browser may keep the page.
    const isForSharedOnly = this.#pageSeconds === null && stated?.directive === 's-maxage';
    if (!isForSharedOnly) patchFreshnessHeaders(res, seconds);
    if (status !== STORED_STATUS || seconds <= 0) return undefined;

    // Sent now rather than added by Node, so that a hit repeats it.
    if (res.sendDate && !res.hasHeader('Date')) res.setHeader('Date', formatHttpDate(Date.now()));
    this.#sentAt = Date.now();
    this.#seconds = seconds;
    this.#vary = varyingNames(header(res, 'vary'), settings);
    return settings.maxBytes;
  }

  /** Whether the response is known from the start to be too long to store. */
  #isEndless(): boolean {
    const type = String(header(this.#res, 'content-type') ?? '');
    if (type.toLowerCase().startsWith('text/event-stream')) return true;
    return Number(header(this.#res, 'content-length') ?? 0) > this.settings.maxBytes;
  }

  #store(recording: Recording): void {
    const response = new StoredResponse({
      ...recording,
      storedAt: this.#sentAt,
      staleAt: this.#sentAt + this.#seconds * 1000,
    });
    // Never rejects: a cache that fails is reported, and the visitor has the page already.
    void storeResponse(this.settings, this.#key!, this.#vary, this.#headers, response);
  }
}

function ifFresh(response: StoredResponse | undefined): StoredResponse | undefined {
  return response?.isFresh(Date.now()) ? response : undefined;
}

function header(res: Response, name: string): HeaderValue {
  return res.getHeader(name) as HeaderValue;
}
