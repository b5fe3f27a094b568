/**
 * A caching gateway: the page cache, told to follow RFC 9111 to the letter, in front of a
 * transparent streaming proxy.
 *
 *   ORIGIN=http://localhost:8000 PORT=8080 npm run gateway
 *   curl -i http://localhost:8080/some/page
 */
import http from 'node:http';
import { configureCaches, fetchFromCache, updateCache } from 'cachewright';
import express, { type Request, type Response } from 'express';

/** Fields of one connection, which end here (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set(
  'connection keep-alive proxy-connection te transfer-encoding upgrade host expect'.split(' '),
);

export function makeGateway(origin: string): express.Express {
  const agent = new http.Agent({ keepAlive: true });
  const app = express();
  app.disable('x-powered-by');
  app.use(
    updateCache({
      seconds: null,
      patchHeaders: false,
      requestDirectives: true,
      heuristic: true,
      storeCookies: true,
      key: { normalize: true },
      varyOnRead: false, // the origin says what it varies on
    }),
  );
  app.use(fetchFromCache());
  app.use(forward);
  return app;

  function forward(req: Request, res: Response): void {
    const headers: http.OutgoingHttpHeaders = { ...req.headers, host: new URL(origin).host };
    for (const name of endToEnd(Object.keys(headers), headers.connection).dropped) {
      if (name !== 'host') delete headers[name];
    }
    // Framing is each connection's own; Node frames anew what has no length.
    if (req.headers['transfer-encoding']) headers['transfer-encoding'] = 'chunked';
    const upstream = http.request(origin + req.originalUrl, { agent, method: req.method, headers });
    let answer: http.IncomingMessage | undefined;
    upstream.on('information', ({ statusCode, headers: { link } }) => {
      if (statusCode === 103 && link !== undefined) res.writeEarlyHints({ link });
      if (statusCode === 102) res.writeProcessing();
    });
    upstream.on('response', (response) => {
      answer = response;
      const raw = response.rawHeaders;
      const names = raw.filter((_, i) => i % 2 === 0);
      const { dropped } = endToEnd(names, response.headers.connection);
      const isKept = (i: number) => !dropped.has(raw[i - (i % 2)]!.toLowerCase());
      res.sendDate = false;
      res.writeHead(
        response.statusCode!,
        response.statusMessage,
        raw.filter((_, i) => isKept(i)),
      );
      response.pipe(res);
      response.on('error', () => res.destroy());
    });
    upstream.on('error', () => {
      // What an origin sends after the end of its answer is of no concern to the client.
      if (answer?.complete) return;
      if (res.headersSent) res.destroy();
      else res.status(502).end();
    });
    res.on('close', () => upstream.destroy());
    req.pipe(upstream);
  }
}

/** The fields that end here: those of the connection, and those that it names. */
function endToEnd(names: string[], connection: unknown): { dropped: Set<string> } {
  const named = String(connection ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const isDropped = (name: string) => HOP_BY_HOP.has(name) || named.includes(name);
  return { dropped: new Set(names.map((name) => name.toLowerCase()).filter(isDropped)) };
}

if (require.main === module) {
  const { ORIGIN = 'http://localhost:8000', PORT = '8080' } = process.env;
  configureCaches({ default: { options: { maxEntries: 10_000 } } });
  makeGateway(ORIGIN).listen(PORT, () => console.log(`Gateway to ${ORIGIN} on port ${PORT}`));
}
