import { groupBy } from '../group-by';
import type { MemcachedAddress } from './address';
import type { Memjs, MemjsClient, MemjsServer } from './memjs';
import { MemcachedNode } from './node';
import { Pool, type PoolOptions } from './pool';
import { ketamaRing } from './ring';

/** The servers of a cache, and which of them has a key. */
export class Cluster {
  readonly nodes: readonly MemcachedNode[];
  readonly nodeOf: (finalKey: string) => MemcachedNode;

  private constructor(
    nodes: readonly MemcachedNode[],
    nodeOf: (finalKey: string) => MemcachedNode,
  ) {
    this.nodes = nodes;
    this.nodeOf = nodeOf;
  }

  /** Servers that are connected to as there is use for them. */
  static connect(
    memjs: Memjs,
    addresses: readonly MemcachedAddress[],
    options: PoolOptions,
    maxPending: number,
  ): Cluster {
    const nodes = new Map(
      addresses.map((address) => {
        const pool = new Pool(memjs, address, options);
        return [address.name, new MemcachedNode(address.name, pool, maxPending)] as const;
      }),
    );
    const [only, ...others] = nodes.values();
    if (others.length === 0) return new Cluster([only!], () => only!);
    const nameOf = ketamaRing([...nodes.keys()]);
    return new Cluster([...nodes.values()], (finalKey) => nodes.get(nameOf(finalKey))!);
  }

  /** The servers of a ready-made client, which keeps its own ways of placing keys. */
  static of(client: MemjsClient, maxPending: number): Cluster {
    const nodes = new Map<MemjsServer, MemcachedNode>(
      client.servers.map((server) => {
        const name = server.host ? `${server.host}:${server.port}` : String(server.port);
        return [server, new MemcachedNode(name, server, maxPending)];
      }),
    );
    const [first] = nodes.values();
    return new Cluster([...nodes.values()], (finalKey) => {
      // None, while it leaves all of them alone; this package's guards decide that here.
      const server = client.server(finalKey);
      return (server && nodes.get(server)) ?? first!;
    });
  }

  /** Places in the list of the keys of each server. */
  groups(finalKeys: readonly string[]): Map<MemcachedNode, number[]> {
    return groupBy(finalKeys.keys(), (i) => this.nodeOf(finalKeys[i]!));
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}
