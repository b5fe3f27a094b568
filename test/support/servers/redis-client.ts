import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { NetworkServer } from './server-process';

const DEADLINE_MS = 90_000;

/** Sends one command to one server, over a connection of its own, and returns the answer. */
export async function askRedis(
  server: NetworkServer,
  command: string,
  ...args: (string | number)[]
): Promise<unknown> {
  const client = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  // What is wrong with the connection is told by the command as well.
  client.on('error', () => {});
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

/**
 * Waits until a server's answer to a command has every one of these lines, as `INFO` and its like
 * have them.
 *
 * @throws Error with the last answer, if that does not come about.
 */
export async function untilRedisSays(
  server: NetworkServer,
  lines: readonly (string | RegExp)[],
  command: string,
  ...args: (string | number)[]
): Promise<void> {
  const deadlineAt = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await askRedis(server, command, ...args);
    const said = Array.isArray(answer) ? pairsOf(answer) : String(answer).split('\r\n');
    const isSaid = (line: string | RegExp) =>
      said.some((text) => (typeof line === 'string' ? text === line : line.test(text)));
    if (lines.every(isSaid)) return;
    if (Date.now() > deadlineAt) {
      throw new Error(
        `Redis on port ${server.port} did not come to say ${lines.join(', ')}:\n${said.join('\n')}`,
      );
    }
    await delay(20);
  }
}

/** `name, value, name, value` as lines. */
function pairsOf(answer: readonly unknown[]): string[] {
  return answer.flatMap((name, i) => (i % 2 === 0 ? [`${name}:${answer[i + 1]}`] : []));
}
