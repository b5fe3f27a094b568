import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { claim, runFolder } from './run-directory';

/**
 * A port on which nothing listens, and which no other call of this run gets.
 *
 * It lies below those the system picks for outgoing connections (from 32768 on Linux): while a
 * server is down, a client that tries to reconnect could otherwise take its port, or even connect
 * to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    if (!(await isFree(port))) continue;
    if (claim(join(runFolder('ports'), String(port)))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
