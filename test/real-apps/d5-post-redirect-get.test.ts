import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheApp, cachePage, configureCaches, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { type Listener, type Site, serveHttp1 } from '../support/http-client';
import type { PageProcessPlan } from '../support/page-process';
import { startPageProcess } from '../support/page-processes';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { tempDirectories } from '../support/temp-directory';
import { HELD } from './support';

const ROUNDS = 40;

const tempDirectory = tempDirectories();

/** Asks until the page comes from the cache. */
async function untilStored(isHit: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isHit()); tries += 1) {
    if (tries === 500) throw new Error('The page is never stored.');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** How often the change was seen: by the process that was posted to, and at once by the other. */
async function seenChanges(
  cache: PageProcessPlan['cache'],
  options: PageProcessPlan['options'] = {},
): Promise<readonly [number, number]> {
  const countIn = join(tempDirectory(), 'count');
  writeFileSync(countIn, '0');
  const plan: PageProcessPlan = { cache, options, handlerMs: 0, countIn };
  const processes = await Promise.all([startPageProcess(plan), startPageProcess(plan)]);
  let here = 0;
  let there = 0;
  try {
    for (let i = 1; i <= ROUNDS; i += 1) {
      for (const process of processes) await untilStored(() => process.isHit('/list'));
      const [poster, other] = i % 2 === 0 ? processes : processes.toReversed();
      expect(await poster!.post('/list')).toBe(303);
      const seen = await Promise.all([poster!.get('/list'), other!.get('/list')]);
      if (seen[0] === String(i)) here += 1;
      if (seen[1] === String(i)) there += 1;
    }
  } finally {
    await Promise.all(processes.map((process) => process.close()));
  }
  return [here, there];
}

describe('D5: a POST that redirects to a page that shows what it has changed', () => {
  test('files: all visitors of two processes see the change', async () => {
    const location = tempDirectory();
    expect(await seenChanges({ backend: 'file', location })).toEqual([ROUNDS, ROUNDS]);
  });

  test('a tier over files: all visitors of two processes see the change', async () => {
    const location = { backend: 'file', location: tempDirectory() } as const;
    // So long that the other process does not look by itself within `writeTimeoutMs`.
    const cache = { backend: 'tiered', location, options: { trustMs: 450 } } as const;
    expect(await seenChanges(cache, { writeTimeoutMs: 80 })).toEqual([ROUNDS, ROUNDS]);
  });

  describeWithServer('redis', 'with Redis', () => {
    let server: RedisServer;

    beforeAll(async () => {
      server = await startRedis();
    });

    afterAll(() => server.stop());

    test('all visitors of two processes see the change', async () => {
      expect(await seenChanges({ backend: 'redis', location: server.url })).toEqual([
        ROUNDS,
        ROUNDS,
      ]);
    });

    test('and on a tier over it', async () => {
      const location = { backend: 'redis', location: server.url } as const;
      const cache = { backend: 'tiered', location } as const;
      expect(await seenChanges(cache)).toEqual([ROUNDS, ROUNDS]);
    });
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('D5 on %s', (_name, make) => {
  freshCaches();

  const shown = { cacheStatus: true };

  /** Mounts of the cache around the same routes. */
  const MOUNTS: Record<string, (routes: express.Router) => Listener> = {
    pair: (routes) => make().use(updateCache(shown), fetchFromCache(), routes),
    cachePage: (routes) => make().use(cachePage(60, shown), routes),
    'pair and cachePage': (routes) =>
      make().use(updateCache(shown), fetchFromCache(), cachePage(60, shown), routes),
    cacheApp: (routes) => cacheApp(make().use(routes), shown),
  };

  test.each([
    ['local memory', 'pair', HELD],
    ['local memory', 'cachePage', HELD],
    ['local memory', 'pair and cachePage', HELD],
    ['local memory', 'cacheApp', HELD],
    ['files', 'pair', ''],
    ['files', 'cachePage', ''],
    ['files', 'pair and cachePage', ''],
    ['files', 'cacheApp', ''],
  ])('on %s, %s: 40 of 40 see the change%s', async (store, mount) => {
    const files = { backend: 'file', location: tempDirectory() } as const;
    configureCaches(store === 'files' ? { default: files } : { default: {} });
    let count = 0;
    const routes = make.Router();
    routes.get('/list', (_req, res) => void res.send(`count ${count}`));
    routes.post('/list', (_req, res) => {
      count += 1;
      res.redirect(303, '/list');
    });
    const site: Site = await serveHttp1(MOUNTS[mount]!(routes));
    try {
      for (let i = 1; i <= ROUNDS; i += 1) {
        await untilStored(async () => {
          const { lines } = await site.get('/list');
          return lines.some((line) => /^cache-status:.*; hit/i.test(line));
        });
        const { status } = await site.get('/list', {}, 'POST');
        expect(status).toBe(303);
        const { body } = await site.get('/list');
        expect(body.toString()).toBe(`count ${i}`);
      }
    } finally {
      await site.close();
    }
  });
});
