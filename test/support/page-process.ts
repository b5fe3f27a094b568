/**
 * Run as a process of its own: an Express app whose pages are cached as its parent says. `argv`:
 * a {@link PageProcessPlan} as JSON. Sends its port once it listens, and the number of times the
 * handler ran whenever it is asked for it.
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import {
  caches,
  configureCaches,
  fetchFromCache,
  type PageCacheOptions,
  updateCache,
} from '../../src/index';

/** What a page process does. */
export interface PageProcessPlan {
  /** Settings of its only alias. */
  readonly cache: Parameters<typeof configureCaches>[0]['default'];
  readonly options?: PageCacheOptions;
  /** How long the handler takes for a page. */
  readonly handlerMs: number;
}

function main(): void {
  const { cache, options, handlerMs } = JSON.parse(process.argv[2]!) as PageProcessPlan;
  configureCaches({ default: cache } as never);
  const failures: string[] = [];
  let calls = 0;
  const app = express();
  app.use(
    updateCache({
      ...options,
      cacheStatus: true,
      onError: (error) => failures.push((error as Error).message),
    }),
  );
  app.use(fetchFromCache());
  app.use((req, res) => {
    calls += 1;
    setTimeout(() => res.type('text').send(`${req.path} by ${process.pid}`), handlerMs);
  });
  const server = app.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server.address() as AddressInfo).port });
  });
  process.on('message', async (message) => {
    if (message === 'tally') process.send!({ calls, failures: failures.splice(0) });
    if (message !== 'close') return;
    server.closeAllConnections();
    server.close();
    await caches.closeAll();
    process.disconnect();
  });
}

main();
