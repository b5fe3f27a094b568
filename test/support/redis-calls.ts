import type { NetworkServer } from './servers';
import { askRedis } from './servers/redis-client';

/** Commands that connecting takes, and asking for these figures. */
const OF_CONNECTIONS = new Set([
  'info',
  'hello',
  'config|resetstat',
  'client|setinfo',
  'select',
  'auth',
  'ping',
  'quit',
  'command',
  'replconf',
  'psync',
]);

/** How often a server has done which command since {@link resetCalls}, connecting aside. */
export async function redisCalls(server: NetworkServer): Promise<Record<string, number>> {
  const info = String(await askRedis(server, 'INFO', 'commandstats'));
  const calls: Record<string, number> = {};
  for (const [, name, count] of info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)) {
    if (!OF_CONNECTIONS.has(name!)) calls[name!] = Number(count);
  }
  return calls;
}

export async function resetCalls(...servers: NetworkServer[]): Promise<void> {
  await Promise.all(servers.map((server) => askRedis(server, 'CONFIG', 'RESETSTAT')));
}
