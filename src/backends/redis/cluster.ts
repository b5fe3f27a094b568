import {
  clientPrefix,
  ioredis,
  type RedisClient,
  type RedisClusterClient,
  scopeOf,
} from './client';
import type { RedisConnection } from './connection';
import { type RedisLimits, RedisServer } from './server';
import type { RedisTopology } from './topology';

/**
 * The nodes of a cluster, over the one client that knows them. Each master has a guard of its own,
 * so that one that is down costs its share of the keys and no more. A command goes by its key's
 * slot as known here; the client follows the cluster where that is no longer true.
 */
export class RedisCluster implements RedisTopology {
  readonly isCluster = true;
  readonly #client: RedisClusterClient;
  readonly #connection: RedisConnection;
  readonly #limits: RedisLimits;
  /** By `host:port`; `''` until the nodes are known. */
  readonly #servers = new Map<string, RedisServer>();

  constructor(client: RedisClusterClient, connection: RedisConnection, limits: RedisLimits) {
    this.#client = client;
    this.#connection = connection;
    this.#limits = limits;
  }

  get scope(): string {
    return scopeOf(this.#client);
  }

  writer(finalKey: string): RedisServer {
    const slot = slotOf(clientPrefix(this.#client) + finalKey);
    return this.#server(this.#client.slots[slot]?.[0] ?? '', finalKey);
  }

  reader(finalKey: string): RedisServer {
    return this.writer(finalKey);
  }

  // Reads go to the masters, unless the user has told the client otherwise.
  wrote(): void {}

  async masters() {
    // Which they are is known once the client is connected.
    await this.#connection.untilReady(this.#limits.readTimeoutMs);
    const server = this.#server('', '');
    return this.#client.nodes('master').map((client) => ({ server, client }));
  }

  subscriber(options: object): RedisClient {
    return this.#client.duplicate([], options);
  }

  async close(deadlineMs: number): Promise<void> {
    for (const { guard } of this.#servers.values()) guard.close();
    await this.#connection.close(deadlineMs);
  }

  #server(address: string, finalKey: string): RedisServer {
    let server = this.#servers.get(address);
    if (server === undefined) {
      const name = address === '' ? 'Redis Cluster' : `Redis Cluster node ${address}`;
      // By a key and not at its address: whoever has the slot by now is who must answer.
      server = new RedisServer(this.#connection, name, this.#limits, (client) =>
        client.call('exists', finalKey),
      );
      this.#servers.set(address, server);
    }
    return server;
  }
}

function slotOf(finalKey: string): number {
  const { Command } = ioredis();
  return new Command('exists', [finalKey]).getSlot();
}
