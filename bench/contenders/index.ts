import type { Server } from 'node:http';
import type { Page } from './page';

/** What a server under test is given. */
export interface Site {
  readonly page: Page;
  /** To be called whenever the page is rendered, or sent without a cache. */
  readonly onHandled: () => void;
  readonly redisUrl: string;
  readonly memcachedUrl: string;
}

/** What a machine may lack. */
export type Need = 'redis' | 'memcached' | 'peers' | 'nginx' | 'varnish';

/** One of those compared. */
export interface Contender {
  readonly label: string;
  /** Whether the handler runs once, and not on each request. */
  readonly isCached: boolean;
  readonly needs?: readonly Need[];
  /** Whether it is another package, or a cache by hand, that is mounted in Express. */
  readonly isPeerInExpress?: boolean;
  /** Makes its server; `undefined`: it is a program of its own. */
  readonly start?: (site: Site) => Promise<Server>;
}

const SECONDS = 3600;

/** What is compared, in the order of the table. */
export const CONTENDERS = {
  bareNode: {
    label: 'bare `node:http`, one Buffer',
    isCached: false,
    start: async (site) => (await import('./plain.js')).bareNode(site),
  },
  bareNodeAlike: {
    label: 'bare `node:http`, one Buffer, all fields that a hit has',
    isCached: false,
    start: async (site) => (await import('./plain.js')).bareNodeAlike(site),
  },
  floor: {
    label: 'Express 5, the same Buffer (floor)',
    isCached: false,
    start: async (site) => (await import('./plain.js')).floor(site),
  },
  json: {
    label: 'Express 5, `res.json`',
    isCached: false,
    start: (site) => ours('no cache', site),
  },
  pair: {
    label: 'cachewright, `updateCache` + `fetchFromCache`',
    isCached: true,
    start: (site) => ours('updateCache + fetchFromCache', site),
  },
  cachePage: {
    label: 'cachewright, `cachePage`',
    isCached: true,
    start: (site) => ours('cachePage', site),
  },
  cacheApp: {
    label: 'cachewright, `cacheApp` before Express',
    isCached: true,
    start: (site) => ours('cacheApp', site),
  },
  pairOnRedis: {
    label: 'cachewright on Redis, the pair',
    isCached: true,
    needs: ['redis'],
    start: (site) =>
      ours('updateCache + fetchFromCache', site, { backend: 'redis', location: site.redisUrl }),
  },
  pairOnMemcached: {
    label: 'cachewright on Memcached, the pair',
    isCached: true,
    needs: ['memcached'],
    start: (site) =>
      ours('updateCache + fetchFromCache', site, {
        backend: 'memcached',
        location: site.memcachedUrl,
      }),
  },
  lruCache: {
    label: 'lru-cache by hand',
    isCached: true,
    isPeerInExpress: true,
    start: async (site) => (await import('./peers.js')).lruCacheByHand(site),
  },
  cacheManager: {
    label: 'cache-manager by hand',
    isCached: true,
    isPeerInExpress: true,
    needs: ['peers'],
    start: async (site) => (await import('./peers.js')).cacheManagerByHand(site),
  },
  bentocache: {
    label: 'bentocache by hand',
    isCached: true,
    isPeerInExpress: true,
    needs: ['peers'],
    start: async (site) => (await import('./peers.js')).bentocacheByHand(site),
  },
  apicache: {
    label: 'apicache',
    isCached: true,
    isPeerInExpress: true,
    start: async (site) => (await import('./peers.js')).apicacheInMemory(site),
  },
  routeCache: {
    label: 'route-cache',
    isCached: true,
    isPeerInExpress: true,
    needs: ['peers'],
    start: async (site) => (await import('./peers.js')).routeCache(site),
  },
  redisByHand: {
    label: 'Redis by hand, JSON record',
    isCached: true,
    isPeerInExpress: true,
    needs: ['redis'],
    start: async (site) => (await import('./peers.js')).redisByHand(site),
  },
  redisBuffers: {
    label: 'Redis by hand, `getBuffer` + `res.end`',
    isCached: true,
    isPeerInExpress: true,
    needs: ['redis'],
    start: async (site) => (await import('./peers.js')).redisBuffersByHand(site),
  },
  apicacheOnRedis: {
    label: 'apicache on Redis',
    isCached: true,
    isPeerInExpress: true,
    needs: ['redis', 'peers'],
    start: async (site) => (await import('./peers.js')).apicacheOnRedis(site),
  },
  fastify: {
    label: 'Fastify, lru-cache in a hook',
    isCached: true,
    needs: ['peers'],
    start: async (site) => (await import('./peers.js')).fastifyWithHook(site),
  },
  nginx: { label: 'nginx `proxy_cache` before Express', isCached: true, needs: ['nginx'] },
  varnish: { label: 'Varnish before Express', isCached: true, needs: ['varnish'] },
} satisfies Record<string, Contender>;

export type ContenderId = keyof typeof CONTENDERS;

/** The least of them, for a look at what a hit costs. */
export const SHORT_LIST = [
  'bareNode',
  'floor',
  'json',
  'pair',
  'cachePage',
  'cacheApp',
  'apicache',
] as const satisfies readonly ContenderId[];

async function ours(
  way: import('./cachewright.js').Way,
  site: Site,
  cache?: import('cachewright').CacheSettings,
): Promise<Server> {
  const { configureCaches, serve } = await import('./cachewright.js');
  if (cache !== undefined) configureCaches({ default: cache });
  const { renderPage } = await import('./plain.js');
  return serve(way, renderPage(site), SECONDS);
}
