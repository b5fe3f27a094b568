/**
 * A value that never changes once made and knows its own bytes. Local memory keeps it as it is
 * and hands the same object to every reader; other backends store the bytes.
 */
export interface FrozenValue {
  /** Memory it takes, for the store's bound. */
  readonly byteLength: number;
  /** Its bytes. The caller must not change them. */
  toBytes(): Buffer;
}
