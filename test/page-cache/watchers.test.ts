import http from 'node:http';
import type { Socket } from 'node:net';
import { cacheApp, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { ask, serve, useRealApps } from '../real-apps/support';

useRealApps();

/** How many requests a connection still tells of reads of its address. */
function watchersOf(socket: Socket | undefined): number {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) =>
    /cachewright\.address/.test(description ?? ''),
  );
  return (socket as unknown as Record<symbol, Set<unknown>>)[key!]!.size;
}

/** Makes requests one after the other on one connection. */
async function visitOften(listener: http.RequestListener): Promise<void> {
  const site = await serve(listener);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let visits = 0; visits < 20; visits += 1) await ask(site, '/style.css', { agent });
  agent.destroy();
}

test('a connection forgets requests that middleware answers between the halves', async () => {
  let socket: Socket | undefined;
  const app = express();
  app.use(updateCache(), (req, res) => {
    socket = req.socket;
    res.send('a style sheet');
  });
  app.use(fetchFromCache());
  await visitOften(app);
  expect(watchersOf(socket)).toBeLessThanOrEqual(1);
});

test('a connection forgets requests that middleware in `before` answers', async () => {
  let socket: Socket | undefined;
  const limiter = (req: http.IncomingMessage, res: http.ServerResponse) => {
    socket = req.socket;
    res.writeHead(429).end();
  };
  await visitOften(cacheApp(express(), { before: [limiter] }));
  expect(watchersOf(socket)).toBeLessThanOrEqual(1);
});
