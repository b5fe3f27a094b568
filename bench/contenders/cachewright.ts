import { createServer, type RequestListener, type Server } from 'node:http';
import express, { type RequestHandler } from 'express';

/** The package as it is installed, not its sources. */
const { cacheApp, cachePage, configureCaches, fetchFromCache, updateCache } =
  require('../../dist/index.js') as typeof import('cachewright');

/** The path of all pages. */
export const ROUTE = '/page/:id';

/** The ways of using this package in Express, and the app without it. */
export const WAYS = {
  'no cache': (handler) => express().get(ROUTE, handler),
  'updateCache + fetchFromCache': (handler, seconds) =>
    express().use(updateCache({ seconds }), fetchFromCache()).get(ROUTE, handler),
  cachePage: (handler, seconds) => express().get(ROUTE, cachePage(seconds), handler),
  cacheApp: (handler, seconds) => cacheApp(express().get(ROUTE, handler), { seconds }),
} satisfies Record<string, (handler: RequestHandler, seconds: number) => RequestListener>;

export type Way = keyof typeof WAYS;

/** A site that is cached in one of the ways. */
export function serve(way: Way, handler: RequestHandler, seconds: number): Server {
  return createServer(WAYS[way](handler, seconds));
}

export { configureCaches };
