/**
 * So long after the present of the database, by its own clock: for what processes have to agree
 * on, as their clocks differ.
 */
export interface ServerInstant {
  readonly afterMs: number;
}

/** Epoch milliseconds by the clock of the process, `Infinity`: never; or by that of the database. */
export type Instant = number | ServerInstant;

/** The present of the database. */
export const SERVER_NOW: ServerInstant = { afterMs: 0 };

/** What "never" is stored as (Django's choice): the last instant all databases can hold. */
const NEVER_AT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * An instant as a database takes it: in UTC, with milliseconds, as text. A `Date` would be written
 * by the driver in the time zone of the process or the session.
 *
 * @param at - Epoch milliseconds; `Infinity`: never.
 * @returns `2026-01-05 12:00:00.000`
 */
export function toUtcText(at: number): string {
  return new Date(Math.min(at, NEVER_AT)).toISOString().replace('T', ' ').slice(0, -1);
}
