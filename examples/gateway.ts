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
  // To the letter of RFC 9111; what a page varies on, the origin says.
  const letter = { seconds: null, patchHeaders: false, requestDirectives: true, heuristic: true };
  const options = { ...letter, storeCookies: true, key: { normalize: true }, varyOnRead: false };
  app.use(updateCache(options), fetchFromCache(), forward);
  return app;

  function forward(req: Request, res: Response): void {
    const isKept = endToEnd(req.headers.connection);
    const headers = Object.fromEntries(
      Object.entries(req.headers).filter(([name]) => isKept(name)),
    );
    // Framing is each connection's own; Node frames anew what has no length.
    if (req.headers['transfer-encoding']) headers['transfer-encoding'] = 'chunked';
    const { method, originalUrl: path } = req;
    const upstream = http.request(origin, { agent, method, path, headers });
    let answer: http.IncomingMessage | undefined;
    upstream.on('information', ({ statusCode, headers: { link } }) => {
      if (statusCode === 102) res.writeProcessing();
      // One by one, and not those with spaces in quotes: Node would throw.
      const links = String(link).match(/<[^>]*>(\s*;\s*[\w*-]+(=("[^",;\s]*"|[^",;\s]+))?)*/g);
      if (statusCode === 103 && links) res.writeEarlyHints({ link: links });
    });
    upstream.on('response', (response) => {
      answer = response;
      const { statusCode = 0, statusMessage = '', rawHeaders: raw } = response;
      const isSendable = statusCode >= 200 && /^[\t -~\x80-\xff]*$/.test(statusMessage);
      if (!isSendable) {
        res.status(502).end();
        return;
      }
      const isSent = endToEnd(response.headers.connection);
      res.sendDate = false;
      const fields = raw.filter((_, i) => isSent(raw[i - (i % 2)]!.toLowerCase()));
      res.writeHead(statusCode, statusMessage, fields);
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

/** Tells fields that go on from those of the connection, and those that it names. */
function endToEnd(connection = ''): (name: string) => boolean {
  const named = connection.toLowerCase().split(/[\s,]+/);
  return (name) => !HOP_BY_HOP.has(name) && !named.includes(name);
}

if (require.main === module) {
  const { ORIGIN = 'http://localhost:8000', PORT = '8080' } = process.env;
  configureCaches({ default: { options: { maxEntries: 10_000 } } });
  makeGateway(ORIGIN).listen(PORT, () => console.log(`Gateway to ${ORIGIN} on port ${PORT}`));
}
