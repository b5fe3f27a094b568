import { createServer, type Server } from 'node:http';
import express, { type Express, type RequestHandler } from 'express';

/** The package as it is installed, not its sources. */
const { cacheApp, cachePage, fetchFromCache, updateCache } =
  require('../dist/index.js') as typeof import('cachewright');

const apicache = require('apicache') as { middleware(duration: string): RequestHandler };

/** What is compared, in the order of the table. The first is what the others are measured by. */
export const SERVERS = {
  'plain, res.end(buffer)': { isCached: false, start: plain },
  'plain, res.send(buffer)': { isCached: false, start: (page) => serve(page) },
  'cachewright, cacheApp before Express': { isCached: true, start: inFront },
  'cachewright, updateCache + fetchFromCache': { isCached: true, start: wholeSite },
  'cachewright, cachePage': { isCached: true, start: (page) => serve(page, cachePage(3600)) },
  'apicache, in memory': {
    isCached: true,
    start: (page) => serve(page, apicache.middleware('1 hour')),
  },
} satisfies Record<string, { isCached: boolean; start: (page: Page) => Server }>;

export type ServerName = keyof typeof SERVERS;

/** The page that all servers send. */
export interface Page {
  readonly body: Buffer;
  /** Called whenever a handler runs. */
  readonly onHandled: () => void;
}

/** The least that Express can do: no ETag, no check whether the visitor has it already. */
function plain({ body, onHandled }: Page): Server {
  const app = express();
  app.get('/', (_req, res) => {
    onHandled();
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.setHeader('Content-Length', body.length);
    res.end(body);
  });
  return createServer(app);
}

function serve(page: Page, ...middleware: RequestHandler[]): Server {
  const app = express();
  mount(app, page, middleware);
  return createServer(app);
}

function wholeSite(page: Page): Server {
  const app = express();
  app.use(updateCache({ seconds: 3600 }), fetchFromCache());
  mount(app, page);
  return createServer(app);
}

function inFront(page: Page): Server {
  const app = express();
  mount(app, page);
  return createServer(cacheApp(app, { seconds: 3600 }));
}

function mount(app: Express, { body, onHandled }: Page, middleware: RequestHandler[] = []): void {
  app.get('/', ...middleware, (_req, res) => {
    onHandled();
    res.type('html').send(body);
  });
}
