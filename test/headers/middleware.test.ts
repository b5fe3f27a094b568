import type { IncomingMessage, ServerResponse } from 'node:http';
import { neverCache, varyOnCookie, varyOnHeaders } from 'cachewright';
import request from 'supertest';
import { asMiddleware, type Handler, type Next, type Response } from '../../src/headers/middleware';
import { describeEachStack } from '../support/stacks';

const mark = asMiddleware('mark', (_req, res, next) => {
  (res as ServerResponse).setHeader('X-Mark', '1');
  next();
});
const markLater = asMiddleware('markLater', async (_req, res, next) => {
  await Promise.resolve();
  (res as ServerResponse).setHeader('X-Mark', '1');
  next();
});
const fail = asMiddleware('fail', (_req, _res, next) => next(new Error('refused')));
const reject = asMiddleware('reject', async () => {
  await Promise.resolve();
  throw new Error('rejected');
});
const answer = asMiddleware('answer', (_req, res) => {
  (res as ServerResponse).end('answered');
});

describeEachStack((build) => {
  const view = (_req: IncomingMessage, res: ServerResponse) => res.end('page');
  const asyncView = async (_req: IncomingMessage, res: ServerResponse) => {
    await Promise.resolve();
    res.end('page');
  };
  const viewWithNext = (_req: IncomingMessage, _res: ServerResponse, next: Next) => next();

  test.each([
    ['before a handler', [mark, view]],
    ['before an async handler', [mark, asyncView]],
    ['async before a handler', [markLater, view]],
    ['around a handler', [mark(view)]],
    ['around an async handler', [mark(asyncView)]],
    ['async around a handler', [markLater(view)]],
    ['async around an async handler', [markLater(asyncView)]],
    ['around middleware', [mark(viewWithNext), view]],
    ['around a helper around a handler', [varyOnCookie()(mark(view))]],
  ])('runs %s', async (_where, steps) => {
    const response = await request(build([{ path: '/a', steps: steps as never }])).get('/a');
    expect(response.headers['x-mark']).toBe('1');
    expect(response.text).toBe('page');
  });

  test.each([
    ['an error given to next()', [fail, view]],
    ['an error given to next() around a handler', [fail(view)]],
    ['a rejection', [reject, view]],
    ['a rejection around a handler', [reject(view)]],
    [
      'what a handler throws after async middleware',
      [
        markLater(() => {
          throw new Error('thrown');
        }),
      ],
    ],
  ])('passes on %s', async (_what, steps) => {
    const silence = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const response = await request(build([{ path: '/a', steps: steps as never }])).get('/a');
    silence.mockRestore();
    expect(response.status).toBe(500);
  });

  test('answers in place of a handler', async () => {
    const calls = jest.fn();
    for (const steps of [[answer, calls], [answer(calls)]]) {
      const response = await request(build([{ path: '/a', steps: steps as never }])).get('/a');
      expect(response.text).toBe('answered');
    }
    expect(calls).not.toHaveBeenCalled();
  });
});

const req = { headers: {} } as IncomingMessage;
const res = { setHeader() {} } as unknown as ServerResponse;

describe('a decorated handler', () => {
  test('gets the same `this` and arguments, and returns what it did', () => {
    const view = jest.fn(function (this: unknown) {
      return this;
    });
    const next = () => undefined;
    const owner = { view: mark(view as never) as (...args: unknown[]) => unknown };
    expect(owner.view(req, res, next)).toBe(owner);
    expect(view).toHaveBeenCalledWith(req, res, expect.any(Function));
  });

  test('goes on to where its caller said, and gets what that returned', () => {
    const next = jest.fn(() => 'from next');
    const decorated: Handler = mark((_req, _res, onward) => onward('route'));
    expect(decorated(req, res, next)).toBe('from next');
    expect(next.mock.calls).toEqual([['route']]);
    const withoutNext = mark((...args: unknown[]) => args[2]) as (...args: unknown[]) => unknown;
    expect(withoutNext(req, res)).toBeUndefined();
  });

  test('returns the promise of an async one, also of its rejection', async () => {
    const error = new Error('late');
    const next = jest.fn();
    for (const helper of [mark, markLater]) {
      const resolving: Handler = helper(async () => 'done');
      const rejecting: Handler = helper(async () => Promise.reject(error));
      await expect(resolving(req, res, next)).resolves.toBe('done');
      await expect(rejecting(req, res, next)).rejects.toBe(error);
    }
    expect(next).not.toHaveBeenCalled();
  });

  test('throws what it throws', () => {
    const throwing: Handler = mark(() => {
      throw new Error('thrown');
    });
    expect(() => throwing(req, res, () => undefined)).toThrow('thrown');
  });

  test('rejects where there is no next() to tell', async () => {
    const decorated = reject(() => undefined) as (req: unknown, res: unknown) => unknown;
    await expect(decorated(req, res)).rejects.toThrow('rejected');
  });

  test('is named after helper and handler', () => {
    expect(mark.name).toBe('mark');
    expect(mark(function page() {}).name).toBe('mark(page)');
    expect(mark(() => undefined).name).toBe('mark(anonymous)');
  });
});

describe('what next() throws, where no framework catches it', () => {
  const error = new Error('thrown by a handler');
  const throwing = () =>
    jest.fn((_error?: unknown) => {
      throw error;
    });
  const goOn = (_req: unknown, _res: unknown, next: Next) => next();

  test('is thrown at the caller of what runs at once', () => {
    for (const helper of [mark, mark(goOn)]) {
      const next = throwing();
      expect(() => helper(req, res, next)).toThrow(error);
      expect(next.mock.calls).toHaveLength(1);
    }
  });

  test.each<[string, Handler]>([
    ['before a handler', markLater],
    ['around one', markLater(goOn)],
    ['around an async one', markLater(async (_req: unknown, _res: unknown, next: Next) => next())],
  ])(
    'rejects the promise of what runs later, %s, and is not told next() once more',
    async (_where, helper) => {
      const next = throwing();
      await expect(helper(req, res, next)).rejects.toBe(error);
      expect(next.mock.calls).toHaveLength(1);
      expect(next.mock.calls[0]![0]).toBeUndefined();
    },
  );

  test('is no reason to tell it once more of an error that it was told of', async () => {
    const failing = asMiddleware('failing', async (_req, _res, next) => {
      await Promise.resolve();
      next(new Error('of the helper'));
    });
    for (const helper of [failing, failing(goOn)]) {
      const next = throwing();
      await expect(helper(req, res, next)).rejects.toBe(error);
      expect(next.mock.calls).toEqual([[new Error('of the helper')]]);
    }
  });

  test('goes to next() where it is the decorated handler that throws', async () => {
    const next = jest.fn();
    const decorated: Handler = markLater(() => {
      throw error;
    });
    await decorated(req, res, next);
    expect(next.mock.calls).toEqual([[error]]);
  });
});

describe('called with something else than a request', () => {
  const helper = varyOnHeaders('X') as unknown as (...args: unknown[]) => unknown;
  const decorated = helper(() => undefined) as typeof helper;
  test.each<[what: string, call: () => unknown]>([
    ['an object around a handler', () => decorated({}, res)],
    ['a method without its request', () => decorated(res)],
    ['nothing', () => decorated()],
    ['no response', () => decorated(req, {})],
    ['no request, as middleware', () => helper({}, res, () => undefined)],
    ['nothing, as middleware', () => helper(undefined)],
  ])('%s fails with a TypeError that names the helper (CC-20)', (_what, call) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(/^varyOnHeaders was called without a request and a response/);
  });
});

describe('a helper without options', () => {
  test('means the same with and without parentheses', () => {
    const view = (_req: unknown, response: Response) => response;
    const next = jest.fn();
    neverCache(req, { ...res, writeHead() {} } as never, next);
    neverCache()(req, { ...res, writeHead() {} } as never, next);
    expect(next).toHaveBeenCalledTimes(2);
    const names = [neverCache, neverCache(), neverCache(view), neverCache()(view)].map(
      (made) => made.name,
    );
    expect(names).toEqual(['neverCache', 'neverCache', 'neverCache(view)', 'neverCache(view)']);
  });
});
