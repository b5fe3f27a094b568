import type { HeaderValue } from './header-value';

/** Reads a field of a response by its name in lower case. */
export type FieldLookup = (name: string) => HeaderValue;
