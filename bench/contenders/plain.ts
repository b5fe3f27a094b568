import { createServer, type Server } from 'node:http';
import express, { type RequestHandler } from 'express';
import type { Site } from '.';
import { ROUTE } from './cachewright';
import { CACHE_CONTROL } from './page';

/** The least that Node can do. */
export function bareNode({ page, onHandled }: Site): Server {
  const { body, headers } = page;
  return createServer((_req, res) => {
    onHandled();
    res.writeHead(200, headers as string[]).end(body);
  });
}

/** The same response as a hit has: what Express and the cache add to the page is there, too. */
export function bareNodeAlike({ page, onHandled }: Site): Server {
  const { body } = page;
  const now = new Date().toUTCString();
  const added = ['X-Powered-By', 'Express', 'Expires', now, 'Date', now, 'Age', '1'];
  const headers = [...page.headers, ...added];
  return createServer((_req, res) => {
    onHandled();
    res.writeHead(200, headers).end(body);
  });
}

/** The least that Express can do. */
export function floor({ page, onHandled }: Site): Server {
  const { body, headers } = page;
  const app = express();
  app.get(ROUTE, (_req, res) => {
    onHandled();
    res.writeHead(200, headers as string[]).end(body);
  });
  return createServer(app);
}

/** The handler of all sites whose cache calls one. */
export function renderPage({ page, onHandled }: Site): RequestHandler {
  return (_req, res) => {
    onHandled();
    res.set('Cache-Control', CACHE_CONTROL).json(page.value);
  };
}
