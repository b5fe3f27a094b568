import type { BusListener, MessageBus } from '../../cache/message-bus';
import type { RedisClient } from './client';
import type { RedisTopology } from './topology';

/** Nothing that is told must be larger; Redis itself would take much more. */
const MAX_BYTES = 64 * 1024;

/** Until a subscriber tries again to connect. */
const RETRY_MS = 250;

/**
 * Publish and subscribe, over a connection of its own. Why not the server's own tracking of keys: it
 * tells that something was changed, but not who has heard of it, so that a purge could not wait.
 */
export class RedisMessages implements MessageBus {
  readonly maxBytes = MAX_BYTES;
  readonly #topology: () => RedisTopology;
  readonly #deadlineMs: number;
  #client: RedisClient | undefined;

  constructor(topology: () => RedisTopology, deadlineMs: number) {
    this.#topology = topology;
    this.#deadlineMs = deadlineMs;
  }

  async listen(channels: readonly string[], { onMessage, onGap }: BusListener): Promise<void> {
    const client = this.#topology().subscriber({
      lazyConnect: false,
      enableOfflineQueue: true,
      autoResubscribe: true,
      maxRetriesPerRequest: null,
      retryStrategy: () => RETRY_MS,
      clusterRetryStrategy: () => RETRY_MS,
    });
    this.#client = client;
    let wasReady = false;
    client.on('ready', () => {
      if (wasReady) onGap();
      wasReady = true;
      client.stream?.unref?.();
    });
    // It connects again by itself, and what it missed is found out.
    client.on('error', () => {});
    client.on('message', (_channel, text) => onMessage(String(text)));
    try {
      await client.subscribe(...channels);
    } catch (error) {
      client.disconnect();
      throw error;
    }
  }

  async say(channel: string, text: string): Promise<void> {
    const work = (client: RedisClient) => client.call('publish', channel, text);
    await this.#topology().writer(channel).run(work, this.#deadlineMs);
  }

  async close(): Promise<void> {
    this.#client?.disconnect();
    this.#client = undefined;
  }
}
