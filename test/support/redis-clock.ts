import { Redis } from 'ioredis';
import type { NetworkServer } from './servers';

/**
 * Lets time pass for the entries of some servers, each of which has all its keys: what is left to
 * them is shortened, and what is due then expires as it would have.
 */
export async function advanceRedis(servers: readonly NetworkServer[], seconds: number) {
  await Promise.all(
    servers.map(async (server) => {
      const client = new Redis(server.url);
      try {
        const keys = await client.keys('*');
        const left = await Promise.all(keys.map((key) => client.pttl(key)));
        await Promise.all(
          keys.map((key, i) =>
            left[i]! > 0 ? client.pexpire(key, left[i]! - seconds * 1000) : undefined,
          ),
        );
      } finally {
        client.disconnect();
      }
    }),
  );
}
