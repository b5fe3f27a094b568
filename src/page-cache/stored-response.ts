import type { FieldLookup } from '../http/field-lookup';
import type { HeaderValue } from '../http/header-value';
import type { StalenessTerms } from '../http/staleness';

/** Header fields as they are sent: name, value, name, value; a field sent n times has n values. */
export type FieldList = readonly (string | readonly string[])[];

/** Seconds in which a page that was purged softly may be shown once more while it is made anew. */
const SOFT_PURGE_SECONDS = 60;

/** What a response consists of, once all of it was seen, and what may be done with it. */
export interface ResponseParts extends StalenessTerms {
  readonly status: number;
  /** Reason phrase of the handler's own; `''` for the usual one. */
  readonly reason: string;
  /** What the code inside has set, and what describes the body. */
  readonly fields: FieldList;
  /** Lines that the code inside has added to fields which were there; names in lower case. */
  readonly added: FieldList;
  /** Names in lower case of fields that the code inside has removed. */
  readonly removed: readonly string[];
  /**
   * Set if the page depends on request state, which caches downstream cannot see: the names of the
   * headers that the state is made from. A client that sends one of them is told `private`. Empty: every
   * client is.
   */
  readonly privacy: readonly string[] | undefined;
  readonly body: Buffer;
  /** When its head was sent, epoch milliseconds. */
  readonly storedAt: number;
  /** When it becomes stale, epoch milliseconds. */
  readonly staleAt: number;
  /** Instant from which `Age` counts, epoch seconds; `undefined`: no `Age` is sent. */
  readonly ageFrom: number | undefined;
}

/** A response as it will be sent again. */
export class StoredResponse implements ResponseParts {
  readonly status: number;
  readonly reason: string;
  readonly fields: FieldList;
  /** The fields but for `Age`, which each hit sends anew. */
  readonly agelessFields: FieldList;
  /** Whether a field has several lines. */
  readonly hasLists: boolean;
  readonly added: FieldList;
  readonly removed: readonly string[];
  readonly privacy: readonly string[] | undefined;
  readonly body: Buffer;
  readonly storedAt: number;
  readonly staleAt: number;
  readonly ageFrom: number | undefined;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly mustRevalidate: boolean;
  readonly alwaysValidate: boolean;

  constructor(parts: ResponseParts) {
    this.status = parts.status;
    this.reason = parts.reason;
    this.fields = parts.fields;
    this.agelessFields = withoutField(parts.fields, 'age');
    this.hasLists = parts.fields.some((field) => typeof field !== 'string');
    this.added = parts.added;
    this.removed = parts.removed;
    this.privacy = parts.privacy;
    this.body = parts.body;
    this.storedAt = parts.storedAt;
    this.staleAt = parts.staleAt;
    this.ageFrom = parts.ageFrom;
    this.staleWhileRevalidate = parts.staleWhileRevalidate;
    this.staleIfError = parts.staleIfError;
    this.mustRevalidate = parts.mustRevalidate;
    this.alwaysValidate = parts.alwaysValidate;
  }

  /** Whether it may be served without asking the handlers. */
  isFresh(now: number): boolean {
    return now < this.staleAt && !this.alwaysValidate;
  }

  /** Whether it may be served while it is refreshed. */
  isServableMeanwhile(now: number): boolean {
    return now < this.staleAt + this.staleWhileRevalidate * 1000 && !this.alwaysValidate;
  }

  /** Whether it may stand in for an error. */
  isServableOnError(now: number): boolean {
    return now < this.staleAt + this.staleIfError * 1000 && !this.alwaysValidate;
  }

  /**
   * The response once it was purged softly: stale, but to be shown while it is made anew.
   *
   * @param purgedAt - When that was found out, epoch milliseconds.
   */
  afterSoftPurge(purgedAt: number): StoredResponse {
    const staleAt = Math.min(this.staleAt, purgedAt);
    const meanwhile = Math.max(this.staleWhileRevalidate, SOFT_PURGE_SECONDS);
    const staleWhileRevalidate = this.mustRevalidate ? 0 : meanwhile;
    return new StoredResponse({ ...this, staleAt, staleWhileRevalidate });
  }

  /** Seconds for which it is still fresh; negative once it is stale. */
  remainingSeconds(now: number): number {
    return Math.floor((this.staleAt - now) / 1000);
  }

  /** Its current age in seconds. Never negative, also when the clock was set back. */
  age(now: number): number | undefined {
    if (this.ageFrom === undefined) return undefined;
    return Math.max(0, Math.floor(now / 1000 - this.ageFrom));
  }

  /** Reads its fields by name, as functions of `http/` want it. */
  get field(): FieldLookup {
    return (name) => fieldOf(this.fields, name);
  }
}

/** The lines of a field; one value, or a list if it was sent several times. */
export function fieldOf(fields: FieldList, name: string): HeaderValue {
  for (let i = 0; i < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() === name) return fields[i + 1];
  }
  return undefined;
}

/** The fields less that of this name. The same list if it was not there. */
export function withoutField(fields: FieldList, name: string): FieldList {
  if (fieldOf(fields, name) === undefined) return fields;
  return fields.filter((_, i) => (fields[i - (i % 2)] as string).toLowerCase() !== name);
}
