/** Who listens to a {@link MessageBus}. */
export interface BusListener {
  onMessage(text: string): void;
  /** Messages may have been lost: the connection broke, and stands again. */
  onGap(): void;
}

/**
 * Carries short texts between the processes that share a store, as well as it can: it may lose them,
 * and bring them late or in another order.
 */
export interface MessageBus {
  /** Bytes of the longest text that it carries. */
  readonly maxBytes: number;
  /**
   * Hears what is said on these channels, over a connection of its own that it makes again when it
   * breaks. Fulfilled once it does.
   */
  listen(channels: readonly string[], listener: BusListener): Promise<void>;
  say(channel: string, text: string): Promise<void>;
  /** Lets go of its connection. */
  close(): Promise<void>;
}
