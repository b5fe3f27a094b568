/** Width of the key's column. */
const MAX_KEY_LENGTH = 255;

/**
 * Whether a table can hold this key, the same on every database: SQLite would take any length, a
 * lenient MySQL would cut the key and so mix up two entries, PostgreSQL refuses NUL, and lone
 * surrogates have no bytes of their own.
 */
export function isStorableKey(finalKey: string): boolean {
  return (
    (finalKey.length <= MAX_KEY_LENGTH || [...finalKey].length <= MAX_KEY_LENGTH) &&
    !finalKey.includes('\0') &&
    finalKey.isWellFormed()
  );
}
