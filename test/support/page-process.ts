/**
 * Run as a process of its own: an Express app whose pages are cached as its parent says. `argv`:
 * a {@link PageProcessPlan} as JSON. Sends its port once it listens, and its tally in answer to each
 * message but the last: `hold` keeps the handler from answering until `release`, `close` ends it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { BaseCache, PageCacheOptions } from '../../src/index';

/** Another build, whose path the parent has named, or the source. */
const { caches, configureCaches, fetchFromCache, updateCache } = require(
  process.env.CACHEWRIGHT_BUILD ?? '../../src/index',
) as typeof import('../../src/index');

/** What a page process does. */
export interface PageProcessPlan {
  /** Settings of its only alias. */
  readonly cache: Parameters<typeof configureCaches>[0]['default'];
  readonly options?: PageCacheOptions;
  /** How long the handler takes for a page. */
  readonly handlerMs: number;
  /**
   * A file that the processes share. If given, each path shows what it holds, and a POST adds one to
   * it and redirects there.
   */
  readonly countIn?: string;
}

function main(): void {
  const { cache, options, handlerMs, countIn } = JSON.parse(process.argv[2]!) as PageProcessPlan;
  configureCaches({ default: cache } as never);
  const pages: BaseCache = caches.default;
  const getFrozen = pages.getFrozen.bind(pages);
  pages.getFrozen = async (...args) => {
    looking += 1;
    try {
      return await getFrozen(...args);
    } finally {
      looking -= 1;
    }
  };
  const failures: string[] = [];
  let calls = 0;
  let arrived = 0;
  let looking = 0;
  let held: (() => void)[] | undefined;
  const app = express();
  app.use((_req, _res, next) => {
    arrived += 1;
    next();
  });
  app.use(
    updateCache({
      ...options,
      cacheStatus: true,
      onError: (error) => failures.push((error as Error).message),
    }),
  );
  app.use(fetchFromCache());
  app.use((req, res) => {
    if (countIn !== undefined && req.method === 'POST') {
      writeFileSync(countIn, String(Number(readFileSync(countIn, 'utf8')) + 1));
      res.redirect(303, req.path);
      return;
    }
    calls += 1;
    const shown = countIn === undefined ? `${req.path} by ${process.pid}` : readFileSync(countIn);
    const answer = () => res.type('text').send(String(shown));
    if (held === undefined) setTimeout(answer, handlerMs);
    else held.push(answer);
  });
  const server = app.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server.address() as AddressInfo).port });
  });
  // A client that asks just as a connection is given up gets an error, and no answer.
  server.keepAliveTimeout = 0;
  // Its parent was ended without a word.
  const exit = () => process.exit(1);
  process.on('disconnect', exit);
  process.on('message', async (message) => {
    if (message === 'hold') held = [];
    if (message === 'release') {
      const answers = held ?? [];
      held = undefined;
      for (const answer of answers) answer();
    }
    if (message !== 'close') {
      process.send!({ calls, arrived, looking, failures: failures.splice(0) });
      return;
    }
    process.off('disconnect', exit);
    server.closeAllConnections();
    server.close();
    await caches.closeAll();
    process.disconnect();
  });
}

main();
