import type { ServerResponse } from 'node:http';
import compression from 'compression';
import express from 'express';
import request from 'supertest';
import type { Response } from '../../src/headers/middleware';
import { onResponseHead, watchHead } from '../../src/headers/on-response-head';
import { type Received, serveHttp1, serveHttp2 } from '../support/http-client';

type Register = (res: ServerResponse) => void;

/** One response to a GET, after `register` and `handle` had it. */
async function respond(
  protocol: 'HTTP/1.1' | 'HTTP/2',
  register: Register,
  handle: Register,
): Promise<Received> {
  const serve = protocol === 'HTTP/2' ? serveHttp2 : serveHttp1;
  const site = await serve((_req, res) => {
    register(res);
    handle(res);
  });
  try {
    return await site.get('/');
  } finally {
    await site.close();
  }
}

/** The lines of these headers, names in lower case. */
function linesOf({ lines }: Received, ...names: string[]): string[] {
  return lines
    .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()))
    .filter((line) => names.includes(line.split(':')[0]!));
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s', (protocol) => {
  test.each<[how: string, send: Register]>([
    ['end()', (res) => res.end()],
    ['end(body)', (res) => res.end('body')],
    ['write()', (res) => res.write('body') && res.end()],
    ['flushHeaders()', (res) => res.flushHeaders() === undefined && res.end()],
    ['writeHead()', (res) => res.writeHead(200).end()],
  ])('the listener is called before %s sends the head', async (_how, send) => {
    let calls = 0;
    const received = await respond(
      protocol,
      (res) =>
        onResponseHead(res, () => {
          calls += 1;
          expect(res.headersSent).toBe(false);
          res.statusCode = 202;
          res.setHeader('X-Late', 'yes');
        }),
      send,
    );
    expect(received.status).toBe(202);
    expect(linesOf(received, 'x-late')).toEqual(['x-late: yes']);
    expect(calls).toBe(1);
  });

  test.each<[form: string, args: unknown[]]>([
    ['an object', [201, { 'x-a': '1', 'X-B': ['2', '3'], 'X-N': 4 }]],
    ['a status text and an object', [201, 'Fine', { 'x-a': '1', 'X-B': ['2', '3'], 'X-N': 4 }]],
    ['a flat array', [201, ['x-a', '1', 'X-B', '2', 'x-b', '3', 'X-N', '4']]],
    ['a flat array with a list', [201, ['x-a', '1', 'X-B', ['2', '3'], 'X-N', 4]]],
    [
      'an array of pairs',
      [
        201,
        [
          ['x-a', '1'],
          ['X-B', '2'],
          ['x-b', '3'],
          ['X-N', '4'],
        ],
      ],
    ],
    ['no status text and an object', [201, undefined, { 'x-a': '1', 'X-B': ['2', '3'], 'X-N': 4 }]],
  ])('the listener sees what writeHead got as %s', async (_form, args) => {
    const seen: unknown[] = [];
    const received = await respond(
      protocol,
      (res) =>
        onResponseHead(res, () => {
          seen.push(res.statusCode, res.getHeader('X-A'), res.getHeader('x-b'));
          res.removeHeader('X-A');
          res.setHeader('X-B', 'mine');
        }),
      (res) => {
        res.setHeader('X-B', 'overridden');
        const given = 'stream' in res ? args.filter((arg) => typeof arg !== 'string') : args;
        (res.writeHead as (...all: unknown[]) => ServerResponse)(...given);
        res.end();
      },
    );
    expect(seen).toEqual([201, '1', ['2', '3']]);
    expect(received.status).toBe(201);
    expect(linesOf(received, 'x-a', 'x-b', 'x-n')).toEqual(['x-b: mine', 'x-n: 4']);
    if (protocol === 'HTTP/1.1')
      expect(received.reason).toBe(args[1] === 'Fine' ? 'Fine' : 'Created');
  });

  test('listeners run last registered first', async () => {
    const order: string[] = [];
    await respond(
      protocol,
      (res) => {
        onResponseHead(res, () => order.push('outer'));
        onResponseHead(res, () => order.push('inner'));
      },
      (res) => res.end(),
    );
    expect(order).toEqual(['inner', 'outer']);
  });

  test('a writeHead() of other middleware keeps its place between listeners', async () => {
    const order: string[] = [];
    await respond(
      protocol,
      (res) => {
        onResponseHead(res, () => order.push('outer'));
        const { writeHead } = res;
        res.writeHead = function (this: typeof res, ...args: unknown[]) {
          order.push('between');
          return writeHead.apply(this, args as never);
        } as typeof writeHead;
        onResponseHead(res, () => order.push('inner'));
      },
      (res) => res.end(),
    );
    expect(order).toEqual(['inner', 'between', 'outer']);
  });

  test('one that is not wanted does not keep the others from the head', async () => {
    const order: string[] = [];
    const received = await respond(
      protocol,
      (res) => {
        onResponseHead(res, () => res.setHeader('X-A', `${res.getHeader('x-a')}, 2`));
        watchHead(res, { isWanted: () => false, onHead: () => order.push('unwanted') });
      },
      (res) => res.writeHead(201, { 'X-A': '1' }).end(),
    );
    expect(linesOf(received, 'x-a')).toEqual(['x-a: 1, 2']);
    expect(order).toEqual([]);
  });

  test('a listener that is not wanted leaves the head as it was given', async () => {
    const listener = jest.fn();
    const received = await respond(
      protocol,
      (res) => watchHead(res, { isWanted: () => false, onHead: listener }),
      (res) => res.writeHead(201, { 'X-A': '1' }).end(),
    );
    expect(received.status).toBe(201);
    expect(linesOf(received, 'x-a')).toEqual(['x-a: 1']);
    expect(listener).not.toHaveBeenCalled();
  });

  test('a second writeHead() fails as it does without a listener', async () => {
    const codes: unknown[] = [];
    const listener = jest.fn();
    await respond(
      protocol,
      (res) => onResponseHead(res, listener),
      (res) => {
        res.writeHead(200);
        try {
          res.writeHead(201, { 'X-A': '1' });
        } catch (error) {
          codes.push((error as NodeJS.ErrnoException).code);
        }
        res.end();
      },
    );
    expect(codes).toEqual([
      protocol === 'HTTP/2' ? 'ERR_HTTP2_HEADERS_SENT' : 'ERR_HTTP_HEADERS_SENT',
    ]);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('listeners run again for the error page after a head that was refused', async () => {
    const received = await respond(
      protocol,
      (res) =>
        onResponseHead(res, () => {
          if (res.statusCode === 200) throw new Error('refused');
          res.setHeader('X-Late', String(res.statusCode));
        }),
      (res) => {
        expect(() => res.end('page')).toThrow('refused');
        res.statusCode = 500;
        res.end('error page');
      },
    );
    expect(received.status).toBe(500);
    expect(received.body.toString()).toBe('error page');
    expect(linesOf(received, 'x-late')).toEqual(['x-late: 500']);
  });
});

test('the listener is called once if the client has gone, and no head can be sent', async () => {
  const listener = jest.fn();
  let close = async () => {};
  await new Promise<void>((resolve) => {
    const served = serveHttp2((_req, res) => {
      onResponseHead(res, listener);
      res.stream.destroy();
      for (let i = 0; i < 3; i++) res.writeHead(200);
      expect(res.headersSent).toBe(false);
      resolve();
    });
    void served.then((site) => {
      close = site.close;
      // Neither fulfilled nor rejected: what the client gets is no response, nor an error.
      void site.get('/');
    });
  });
  await close();
  expect(listener).toHaveBeenCalledTimes(1);
});

test('what others install the same way keeps its place in the order', async () => {
  const seen: unknown[] = [];
  const look = (res: Response) =>
    onResponseHead(res, () => seen.push((res as ServerResponse).getHeader('content-encoding')));
  const app = express();
  app.use((_req, res, next) => {
    look(res);
    next();
  });
  app.use(compression({ threshold: 0 }));
  app.use((_req, res, next) => {
    look(res);
    next();
  });
  app.get('/', (_req, res) => {
    res.type('text').send('page');
  });
  const response = await request(app).get('/').set('Accept-Encoding', 'gzip');
  expect(response.text).toBe('page');
  expect(seen).toEqual([undefined, 'gzip']);
});
