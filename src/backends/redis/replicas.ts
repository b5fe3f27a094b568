import { type RedisClient, type RedisNodeClient, scopeOf } from './client';
import type { RedisConnection } from './connection';
import { OwnWrites } from './own-writes';
import { type RedisLimits, RedisServer } from './server';
import type { RedisTopology } from './topology';

/** One leader, which is written to, and any number of replicas, which are read. */
export class LeaderAndReplicas implements RedisTopology {
  readonly isCluster = false;
  readonly #leader: RedisServer;
  readonly #replicas: readonly RedisServer[];
  readonly #ownWrites: OwnWrites;

  constructor(
    [leader, ...replicas]: readonly RedisConnection[],
    limits: RedisLimits,
    ownWritesMs: number,
  ) {
    this.#leader = serverOf(leader!, limits);
    this.#replicas = replicas.map((replica) => serverOf(replica, limits));
    this.#ownWrites = OwnWrites.on(leader!.name, ownWritesMs);
  }

  get scope(): string {
    return scopeOf(this.#leader.connection.client);
  }

  writer(): RedisServer {
    return this.#leader;
  }

  reader(finalKeys: string | readonly string[]): RedisServer {
    if (this.#replicas.length === 0 || this.#ownWrites.has(finalKeys)) return this.#leader;
    const ready = this.#replicas.filter((replica) => !replica.isDown);
    return ready[Math.floor(Math.random() * ready.length)] ?? this.#leader;
  }

  wrote(finalKeys: readonly string[] | undefined): void {
    if (this.#replicas.length > 0) this.#ownWrites.add(finalKeys);
  }

  async masters() {
    return [{ server: this.#leader, client: this.#leader.connection.client }];
  }

  subscriber(options: object): RedisClient {
    return (this.#leader.connection.client as RedisNodeClient).duplicate(options);
  }

  async close(deadlineMs: number): Promise<void> {
    const servers = [this.#leader, ...this.#replicas];
    await Promise.all(
      servers.map(({ guard, connection }) => {
        guard.close();
        return connection.close(deadlineMs);
      }),
    );
  }
}

function serverOf(connection: RedisConnection, limits: RedisLimits): RedisServer {
  return new RedisServer(connection, connection.name, limits, (client) => client.call('ping'));
}
