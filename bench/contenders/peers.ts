import { createServer, type Server } from 'node:http';
import express, { type RequestHandler, type Response } from 'express';
import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { loadPeer } from '../peers/load';
import type { Site } from '.';
import { ROUTE } from './cachewright';
import type { Page } from './page';
import { renderPage } from './plain';

const SECONDS = 3600;

/** What those who cache by hand keep. */
interface Kept {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export function lruCacheByHand(site: Site): Server {
  const kept = new LRUCache<string, Kept>({ max: 1000, ttl: SECONDS * 1000 });
  return serve((req, res) => {
    let found = kept.get(req.originalUrl);
    if (found === undefined) {
      found = render(site);
      kept.set(req.originalUrl, found);
    }
    send(res, found);
  });
}

export async function cacheManagerByHand(site: Site): Promise<Server> {
  const { createCache } = await loadPeer<{
    createCache(options: object): { wrap<T>(key: string, load: () => T): Promise<T> };
  }>('cache-manager');
  const { Keyv } = await loadPeer<{ Keyv: new (options: object) => object }>('keyv');
  // Values as they are, which is faster than its default.
  const store = new Keyv({ serialize: undefined, deserialize: undefined });
  const cache = createCache({ stores: [store], ttl: SECONDS * 1000 });
  return serve(async (req, res) => {
    send(res, await cache.wrap(req.originalUrl, () => render(site)));
  });
}

export async function bentocacheByHand(site: Site): Promise<Server> {
  const { BentoCache, bentostore } = await loadPeer<{
    BentoCache: new (
      options: object,
    ) => { getOrSet<T>(options: { key: string; ttl: string; factory: () => T }): Promise<T> };
    bentostore(): { useL1Layer(driver: unknown): unknown };
  }>('bentocache');
  const { memoryDriver } = await loadPeer<{ memoryDriver(options: object): unknown }>(
    'bentocache/drivers/memory',
  );
  const store = bentostore().useL1Layer(memoryDriver({ serialize: false }));
  const cache = new BentoCache({ default: 'pages', stores: { pages: store } });
  return serve(async (req, res) => {
    const factory = () => render(site);
    send(res, await cache.getOrSet({ key: req.originalUrl, ttl: '1h', factory }));
  });
}

export function apicacheInMemory(site: Site): Server {
  return serve(apicache({}), renderPage(site));
}

export async function apicacheOnRedis(site: Site): Promise<Server> {
  const { createClient } = await loadPeer<{ createClient(url: string): unknown }>('redis');
  return serve(apicache({ redisClient: createClient(site.redisUrl) }), renderPage(site));
}

export async function routeCache(site: Site): Promise<Server> {
  const { cacheSeconds } = await loadPeer<{ cacheSeconds(seconds: number): RequestHandler }>(
    'route-cache',
  );
  return serve(cacheSeconds(SECONDS), renderPage(site));
}

/** As most write it. */
export function redisByHand(site: Site): Server {
  const redis = new Redis(site.redisUrl);
  return serve(async (req, res) => {
    const key = `json:${req.originalUrl}`;
    const found = await redis.get(key);
    if (found !== null) {
      const { headers, body } = JSON.parse(found) as { headers: Kept['headers']; body: string };
      res.writeHead(200, headers).end(body);
      return;
    }
    const { headers, body } = render(site);
    await redis.set(key, JSON.stringify({ headers, body: body.toString() }), 'EX', SECONDS);
    send(res, { headers, body });
  });
}

/** The least that a hit on Redis can take: the bytes are the body, and the headers known. */
export function redisBuffersByHand(site: Site): Server {
  const redis = new Redis(site.redisUrl);
  const headers = site.page.headers as string[];
  return serve(async (req, res) => {
    const key = `bytes:${req.originalUrl}`;
    const found = await redis.getBuffer(key);
    if (found !== null) {
      res.writeHead(200, headers).end(found);
      return;
    }
    const { body } = render(site);
    await redis.set(key, body, 'EX', SECONDS);
    res.writeHead(200, headers).end(body);
  });
}

export async function fastifyWithHook(site: Site): Promise<Server> {
  interface Reply {
    headers(headers: Kept['headers']): Reply;
    send(body: unknown): Reply;
  }
  interface Fastify {
    readonly server: Server;
    addHook(
      name: string,
      hook: (req: { url: string }, reply: Reply, done: () => void) => void,
    ): void;
    get(path: string, handler: (req: { url: string }, reply: Reply) => void): void;
    ready(): Promise<unknown>;
  }
  const { fastify } = await loadPeer<{ fastify(): Fastify }>('fastify');
  const kept = new LRUCache<string, Kept>({ max: 1000, ttl: SECONDS * 1000 });
  const app = fastify();
  app.addHook('onRequest', (req, reply, done) => {
    const found = kept.get(req.url);
    if (found === undefined) done();
    else reply.headers(found.headers).send(found.body);
  });
  app.get(ROUTE, (req, reply) => {
    const rendered = render(site);
    kept.set(req.url, rendered);
    reply.headers(rendered.headers).send(rendered.body);
  });
  await app.ready();
  return app.server;
}

function apicache(options: object): RequestHandler {
  const { middleware } = (
    require('apicache') as {
      options(options: object): { middleware(duration: string): RequestHandler };
    }
  ).options(options);
  return middleware('1 hour');
}

function serve(...handlers: RequestHandler[]): Server {
  return createServer(express().get(ROUTE, ...handlers));
}

function render({ page, onHandled }: Site): Kept {
  onHandled();
  return { headers: objectOf(page), body: Buffer.from(JSON.stringify(page.value)) };
}

function send(res: Response, { headers, body }: Kept): void {
  res.writeHead(200, headers).end(body);
}

function objectOf({ headers }: Page): Record<string, string> {
  const names = headers.filter((_, i) => i % 2 === 0);
  return Object.fromEntries(names.map((name, i) => [name, headers[2 * i + 1]!]));
}
