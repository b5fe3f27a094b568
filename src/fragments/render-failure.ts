/** Tells that it was a fragment that could not be rendered, and not its cache that failed. */
export class RenderFailure extends Error {
  /**
   * @param cause - What was thrown.
   * @param tags - Those that the fragment had got until then.
   */
  constructor(
    override readonly cause: unknown,
    readonly tags: readonly string[],
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}
