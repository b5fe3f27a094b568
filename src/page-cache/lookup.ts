import type { ServerResponse } from 'node:http';
import { after, type MaybePromise } from '../cache/maybe-promise';
import type { Noted } from '../cache/tags';
import type { Next, Request } from '../headers/middleware';
import type { CacheOutcome } from '../http/cache-status';
import type { RequestDirectives } from '../http/request-directives';
import { sendHit, sendOnlyIfCached, type Visit } from './answer';
import { noteHit } from './churn';
import { canDetach, detachedRunOf } from './detached-request';
import type { StaleGet } from './fill-start';
import { type Flight, isLandedFor, PageFlights } from './flights';
import type { InputValues } from './inputs/input-values';
import { join, type Missed } from './joining';
import { backendOf, type PageSettings } from './page-settings';
import { findResponse, type PageLookup, touchVariant } from './page-store';
import { noteKnownTags } from './page-tags';
import { isRefreshable, type RefreshStart, refresh } from './refresh';
import { type PageKey, pageKeyFor, rememberPage } from './request-key';
import { directivesOf, isMerelyStale, isReusable } from './reuse';
import { settledWithin } from './settled-within';
import type { StoredResponse } from './stored-response';

/** What was found out about a page that the handlers have to make. */
export interface Miss {
  readonly key: PageKey;
  readonly lookup: PageLookup;
  readonly values: InputValues;
  readonly flight: Flight | undefined;
  readonly flights: PageFlights | undefined;
  readonly staleGet: StaleGet | undefined;
  readonly mustNotStore: boolean;
  readonly noted: Noted | undefined;
}

/** What a look-up leaves to the request's dealings with its caches. */
export interface LookupOwner {
  /** Takes it upon this cache to answer. */
  answer(): void;
  /** Whether a cache around this one leads the flight, for this very request, and waits in its turn. */
  isLedFurtherOut(flight: Flight): boolean;
  /** Lets the handlers run. */
  fill(miss: Miss, next: Next): void;
}

/** A request whose page is looked up. */
export interface LookupStart {
  readonly req: Request;
  readonly res: ServerResponse;
  /** As it was sent. */
  readonly method: string | undefined;
  readonly settings: PageSettings;
  readonly key: PageKey;
  readonly values: InputValues;
}

/** Decides how a request is answered: by a stored response, at once or by waiting, or by the handlers. */
export class Lookup {
  readonly #req: Request;
  readonly #res: ServerResponse;
  readonly #method: string | undefined;
  readonly #settings: PageSettings;
  readonly #values: InputValues;
  readonly #owner: LookupOwner;
  #key: PageKey;
  /** When the look-up began, in the order in which pages are stored. */
  #searchedAt = 0;
  /** The stored GET to a HEAD, which its answer confirms or refutes. */
  #staleGet: StaleGet | undefined;

  constructor(start: LookupStart, owner: LookupOwner) {
    this.#req = start.req;
    this.#res = start.res;
    this.#method = start.method;
    this.#settings = start.settings;
    this.#key = start.key;
    this.#values = start.values;
    this.#owner = owner;
  }

  /** Answers from the cache, or calls `next`. At once where the backend needs no I/O. */
  answer(next: Next): MaybePromise<void> {
    return this.#method === 'HEAD' ? this.#lookUpHead(this.#key, next) : this.#search(next);
  }

  /** HEAD is answered by a stored GET, or else by a stored HEAD. */
  #lookUpHead(getKey: PageKey, next: Next): void | Promise<void> {
    const settings = this.#settings;
    return after(findResponse(settings, getKey, this.#values), (get): MaybePromise<void> => {
      const { response, storageKey } = get;
      if (response !== undefined) {
        if (this.#isReusable(response)) return this.#hit(response);
        if (this.#hitStale(get, response)) return;
        const { counters = new Map(), inputs = [] } = get;
        this.#staleGet = { key: getKey, storageKey, response, counters, inputs };
      }
      const headKey = pageKeyFor(this.#req, getKey.url, 'HEAD', settings);
      this.#key = headKey;
      return after(findResponse(settings, headKey, this.#values), (head) => {
        if (head.response !== undefined && this.#isReusable(head.response)) {
          return this.#hit(head.response);
        }
        if (this.#directives()?.onlyIfCached) return this.#refuse();
        const isBlind = get.isBlind || head.isBlind;
        this.#run({ ...head, response: undefined, isBlind }, next, undefined);
      });
    });
  }

  /** @param deadline - Of the waiting, on the clock of `performance.now()`; most do not wait. */
  #search(next: Next, deadline?: number): void | Promise<void> {
    this.#searchedAt = PageFlights.clock;
    const found = findResponse(this.#settings, this.#key, this.#values);
    return found instanceof Promise
      ? found.then((lookup) => this.#decide(lookup, next, deadline))
      : this.#decide(found, next, deadline);
  }

  /** @see RFC 9111 §4 */
  #decide(lookup: PageLookup, next: Next, deadline?: number): MaybePromise<void> {
    const { response, storageKey } = lookup;
    const { softTimeout } = this.#settings;
    if (detachedRunOf(this.#req) !== undefined) {
      const flights = this.#flights();
      return this.#run(lookup, next, flights?.get(storageKey) ?? flights?.begin(storageKey));
    }
    if (response !== undefined && this.#isReusable(response)) {
      return this.#hit(response, {}, storageKey);
    }
    const directives = this.#directives();
    if (directives?.onlyIfCached) return this.#refuse();
    // What is not kept is of no use to those who would wait for it.
    if (directives?.noStore) return this.#run(lookup, next, undefined);
    if (response === undefined) return this.#join(lookup, next, deadline);
    if (this.#hitStale(lookup, response)) return;
    if (softTimeout !== undefined && canDetach(this.#req)) {
      const isServable = response.isServableOnError(Date.now());
      const isDue = isServable && isMerelyStale(response, directives);
      if (isDue && isRefreshable(this.#refreshStart(), lookup)) {
        return this.#race(lookup, response, softTimeout, next);
      }
    }
    return this.#join(lookup, next, deadline);
  }

  /**
   * Sends a stale response where its terms let it be sent before the handlers were asked.
   *
   * @returns Whether they did.
   */
  #hitStale(lookup: PageLookup, response: StoredResponse): boolean {
    const now = Date.now();
    if (!isMerelyStale(response, this.#directives())) return false;
    const start = this.#refreshStart();
    const isMeanwhile = response.isServableMeanwhile(now) && isRefreshable(start, lookup);
    if (isMeanwhile && canDetach(this.#req)) {
      void refresh(start, lookup);
      this.#hit(response, {}, lookup.storageKey);
      return true;
    }
    const isBackingOff = start.flights?.isBackingOff(lookup.storageKey, now) === true;
    if (!isBackingOff || !response.isServableOnError(now)) return false;
    this.#hit(response, { detail: 'error' });
    return true;
  }

  #directives(): RequestDirectives | undefined {
    return directivesOf(this.#req, this.#settings);
  }

  #isReusable(response: StoredResponse): boolean {
    return isReusable(response, this.#directives());
  }

  #refreshStart(): RefreshStart {
    return {
      req: this.#req,
      settings: this.#settings,
      key: this.#key,
      values: this.#values,
      flights: this.#flights(),
    };
  }

  /** Waits for another request that renders the same page, or renders it. */
  #join(lookup: PageLookup, next: Next, deadline?: number): MaybePromise<void> {
    const missed: Missed = {
      res: this.#res,
      settings: this.#settings,
      key: this.#key,
      values: this.#values,
      flights: this.#flights(),
      searchedAt: this.#searchedAt,
      isReusable: (response) => this.#isReusable(response),
      isLedFurtherOut: (flight) => this.#owner.isLedFurtherOut(flight),
      search: (goOn, until) => this.#search(goOn, until),
      decide: (found, goOn, until) => this.#decide(found, goOn, until),
      run: (found, goOn, flight) => this.#run(found, goOn, flight),
      hit: (response, outcome) => this.#hit(response, outcome),
    };
    return join(missed, lookup, next, deadline ?? performance.now() + this.#settings.waitMs);
  }

  #flights(): PageFlights | undefined {
    try {
      return PageFlights.of(backendOf(this.#settings));
    } catch {
      // The look-up has reported it already.
      return undefined;
    }
  }

  #hit(response: StoredResponse, more: CacheOutcome = {}, storageKey?: string): void {
    this.#owner.answer();
    rememberPage(this.#key);
    // A timeout that would not wait for the look-up has answered in the meantime.
    if (this.#res.headersSent) return;
    noteHit(this.#key.base);
    if (storageKey !== undefined) touchVariant(this.#settings, this.#key, storageKey);
    sendHit(this.#visit(), response, more);
  }

  #refuse(): void {
    this.#owner.answer();
    sendOnlyIfCached(this.#visit());
  }

  #visit(): Visit {
    const settings = this.#settings;
    const { sent } = this.#values;
    return { req: this.#req, res: this.#res, method: this.#method, headers: sent, settings };
  }

  /** Gives a detached run some time, and serves what there is when that is over. */
  async #race(
    lookup: PageLookup,
    response: StoredResponse,
    seconds: number,
    next: Next,
  ): Promise<void> {
    const refreshed = refresh(this.#refreshStart(), lookup);
    const landing = refreshed && (await settledWithin(refreshed, seconds * 1000));
    if (this.#res.destroyed) return;
    // The handlers did answer, but with what is this visitor's own, or gone.
    if (landing?.kind === 'uncacheable') return this.#run(lookup, next, undefined);
    if (landing?.kind === 'stored' && isLandedFor(landing, this.#values)) {
      return this.#hit(landing.response, { collapsed: true });
    }
    this.#hit(response);
  }

  /** Lets the handlers run, once the tags are noted that the page is known to have. */
  #run(lookup: PageLookup, next: Next, flight: Flight | undefined): MaybePromise<void> {
    const start = (noted: Noted | undefined) =>
      this.#owner.fill(
        {
          key: this.#key,
          lookup,
          values: this.#values,
          flight,
          flights: this.#flights(),
          staleGet: this.#staleGet,
          mustNotStore: this.#directives()?.noStore === true,
          noted,
        },
        next,
      );
    return after(noteKnownTags(this.#settings, this.#key, this.#req, lookup), start);
  }
}
