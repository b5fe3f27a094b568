/**
 * A caching gateway: the page cache, told to follow RFC 9111 to the letter, in front of a
 * transparent streaming proxy.
 *
 *   ORIGIN=http://localhost:8000 PORT=8080 npm run gateway
 *   curl -i http://localhost:8080/some/page
 */
import http from 'node:http';
import { configureCaches, fetchFromCache, originUnreachable, updateCache } from 'cachewright';
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
    upstream.on('information', (interim) => sendInterim(req, res, interim));
    upstream.on('response', (response) => {
      answer = response;
      const { statusCode = 0, statusMessage = '', rawHeaders: raw } = response;
      const isSendable = statusCode >= 200 && /^[\t -~\x80-\xff]*$/.test(statusMessage);
      if (!isSendable) {
        res.status(502).end();
        return;
      }
      res.sendDate = false;
      const fields = endToEndFields(raw, response.headers.connection);
      res.writeHead(statusCode, statusMessage, fields);
      response.pipe(res);
      response.on('error', () => res.destroy());
    });
    upstream.on('error', () => {
      // What an origin sends after the end of its answer is of no concern to the client.
      if (answer?.complete) return;
      if (res.headersSent) res.destroy();
      // The cache may have a stale answer for a gateway that is disconnected (RFC 9111 §4.2.4).
      else if (answer !== undefined || !originUnreachable(res)) res.status(502).end();
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

/** The end-to-end fields among raw ones. */
function endToEndFields(raw: readonly string[], connection: string | undefined): string[] {
  const isSent = endToEnd(connection);
  return raw.filter((_, i) => isSent(raw[i - (i % 2)]!.toLowerCase()));
}

/**
 * Sends an interim response with all its fields. Node's own methods send none with a 102, and of those with
 * a 103 only links that it can parse.
 */
function sendInterim(req: Request, res: Response, interim: http.InformationEvent): void {
  const { statusCode, headers, rawHeaders } = interim;
  // Node answers `Expect` itself. A response that is not the next one on its connection has no socket yet.
  if (statusCode < 102 || req.httpVersion !== '1.1' || res.headersSent || !res.socket) return;
  const fields = endToEndFields(rawHeaders, headers.connection);
  let head = `HTTP/1.1 ${statusCode} ${http.STATUS_CODES[statusCode] ?? ''}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  res.socket.write(`${head}\r\n`, 'latin1');
}

if (require.main === module) {
  const { ORIGIN = 'http://localhost:8000', PORT = '8080' } = process.env;
  configureCaches({ default: { options: { maxEntries: 10_000 } } });
  makeGateway(ORIGIN).listen(PORT, () => console.log(`Gateway to ${ORIGIN} on port ${PORT}`));
}
