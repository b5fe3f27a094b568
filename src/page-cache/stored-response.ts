import { directiveSeconds, parseCacheControl } from '../http/cache-control';
import { parseHttpDate } from '../http/http-date';

/** Header fields as they are sent: name, value, name, value; a field sent n times has n values. */
export type FieldList = readonly (string | readonly string[])[];

/** What a response consists of, once all of it was seen. */
export interface ResponseParts {
  readonly status: number;
  /** Reason phrase of the handler's own; `''` for the usual one. */
  readonly reason: string;
  readonly fields: FieldList;
  readonly body: Buffer;
  /** When its head was sent, epoch milliseconds. */
  readonly storedAt: number;
  /** When it becomes stale, epoch milliseconds. */
  readonly staleAt: number;
}

/** A response as it will be sent again. */
export class StoredResponse implements ResponseParts {
  readonly status: number;
  readonly reason: string;
  readonly fields: FieldList;
  readonly body: Buffer;
  readonly storedAt: number;
  readonly staleAt: number;
  /** Instant from which `Age` counts, epoch seconds; `undefined`: no `Age` is sent. */
  readonly #ageFrom: number | undefined;

  constructor({ status, reason, fields, body, storedAt, staleAt }: ResponseParts) {
    this.status = status;
    this.reason = reason;
    this.fields = fields;
    this.body = body;
    this.storedAt = storedAt;
    this.staleAt = staleAt;
    this.#ageFrom = ageOrigin(fields);
  }

  isFresh(now: number): boolean {
    return now < this.staleAt;
  }

  /**
   * Seconds since the response was made, by its own `max-age` and `Expires`; `undefined` if
   * either is missing or unreadable. Never negative, also when the clock was set back.
   */
  age(now: number): number | undefined {
    if (this.#ageFrom === undefined) return undefined;
    return Math.max(0, Math.floor(now / 1000) - this.#ageFrom);
  }
}

/** Value of a field, the last one if it was sent several times. */
export function fieldOf(fields: FieldList, name: string): string | undefined {
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if ((fields[i] as string).toLowerCase() !== name) continue;
    const value = fields[i + 1]!;
    return typeof value === 'string' ? value : value.at(-1);
  }
  return undefined;
}

/** Django's reckoning: the age is what has passed of `max-age` on the way to `Expires`. */
function ageOrigin(fields: FieldList): number | undefined {
  const maxAge = directiveSeconds(parseCacheControl(fieldOf(fields, 'cache-control')), 'max-age');
  const expiresAt = parseHttpDate(fieldOf(fields, 'expires'));
  if (maxAge === undefined || expiresAt === undefined) return undefined;
  return Math.floor(expiresAt / 1000) - maxAge;
}
