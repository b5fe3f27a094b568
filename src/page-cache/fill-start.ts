import type { ServerResponse } from 'node:http';
import type { Counters, Noted } from '../cache/tags';
import type { Request } from '../headers/middleware';
import type { Flight, PageFlights } from './flights';
import type { InputValues } from './inputs/input-values';
import type { PageSettings } from './page-settings';
import type { PageLookup } from './page-store';
import type { PageKey } from './request-key';
import type { StoredResponse } from './stored-response';

/** The stored GET to a HEAD, which its answer confirms or refutes. */
export interface StaleGet {
  readonly key: PageKey;
  readonly storageKey: string;
  readonly response: StoredResponse;
  readonly counters: Counters;
  readonly inputs: readonly string[];
}

/** What led to a run of the handlers. */
export interface FillStart {
  readonly req: Request;
  readonly res: ServerResponse;
  /** As it was looked up; handlers may override it. */
  readonly method: string | undefined;
  readonly settings: PageSettings;
  /** The page's own timeout, which goes before all others; `null`: none. */
  readonly pageSeconds: number | null;
  readonly key: PageKey;
  /** What the cache knows of the page. A response in it is stale, but may still hold. */
  readonly lookup: PageLookup;
  /** The inputs of the request, as they were looked up. */
  readonly values: InputValues;
  /** Whether the cache stands before all code that could leave something on the request. */
  readonly isOutermost: boolean;
  /** Whether it stands before a whole app, and sees the fields that are made for each request. */
  readonly isFronting: boolean;
  /** What others wait for, if they do. */
  readonly flight: Flight | undefined;
  /** `undefined` if there is no backend. */
  readonly flights: PageFlights | undefined;
  readonly staleGet: StaleGet | undefined;
  /** Whether the client has asked that nothing be stored. */
  readonly mustNotStore: boolean;
  /** The counters of the page's tags; `undefined` if the backend did not tell. */
  readonly noted: Noted | undefined;
}

/** Whether the handlers have answered another method than the client will think was answered. */
export function isOverridden({ req, method }: FillStart): boolean {
  // Where there are no handlers for HEAD, those for GET are let answer it.
  return req.method !== method && !(method === 'HEAD' && req.method === 'GET');
}
