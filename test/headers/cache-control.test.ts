import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CacheControlDirectives, cacheControl } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { describeEachStack, type Step } from '../support/stacks';

type View = (req: IncomingMessage, res: ServerResponse) => unknown;

const view: View = (_req, res) => res.end('page');
const asyncView: View = async (_req, res) => {
  await Promise.resolve();
  res.end('page');
};

describeEachStack((build) => {
  const sent = async (...steps: Step[]) => {
    const response = await request(build([{ path: '/a', steps }])).get('/a');
    return response.headers['cache-control'];
  };

  test.each<[directives: CacheControlDirectives, expected: string | undefined]>([
    [{ maxAge: 123, custom: 456 }, 'max-age=123, custom=456'],
    [{ public: true, sMaxage: 60, noTransform: true }, 'public, s-maxage=60, no-transform'],
    [{ mustRevalidate: true, private: false }, 'must-revalidate'],
    [{}, undefined],
  ])('sends %j, before and around, sync and async (CC-13, CC-15)', async (directives, expected) => {
    const helper = cacheControl(directives);
    for (const handler of [view, asyncView]) {
      expect(await sent(helper, handler)).toBe(expected);
      expect(await sent(helper(handler))).toBe(expected);
    }
  });

  test('omits the header without options (CC-12)', async () => {
    expect(await sent(cacheControl(), view)).toBeUndefined();
    expect(await sent(cacheControl()(asyncView))).toBeUndefined();
  });

  test('accepts every directive of a response (CC-15)', async () => {
    const directives: CacheControlDirectives = {
      maxAge: 1,
      sMaxage: 2,
      staleWhileRevalidate: 3,
      staleIfError: 4,
      public: true,
      noCache: 'Set-Cookie',
      noStore: true,
      mustRevalidate: true,
      proxyRevalidate: true,
      noTransform: true,
      mustUnderstand: true,
      immutable: true,
    };
    expect(await sent(cacheControl(directives), view)).toBe(
      'max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, public, no-cache=Set-Cookie, no-store, must-revalidate, proxy-revalidate, no-transform, must-understand, immutable',
    );
  });

  test('merges with what the handler sets, however it does', async () => {
    const bySetHeader: View = (_req, res) =>
      res.setHeader('Cache-Control', 'private, max-age=9, own="a, b"').end('page');
    const byWriteHead: View = (_req, res) =>
      res.writeHead(200, ['cache-control', 'private, max-age=9, own="a, b"']).end('page');
    for (const handler of [bySetHeader, byWriteHead]) {
      expect(await sent(cacheControl({ maxAge: 60, public: true }), handler)).toBe(
        'max-age=9, own="a, b", public',
      );
    }
  });

  test('stacks, the outer one last', async () => {
    const outer = cacheControl({ private: true, maxAge: 30 });
    const inner = cacheControl({ public: true, maxAge: 60, sMaxage: 5 });
    expect(await sent(outer, inner, view)).toBe('max-age=30, s-maxage=5, private');
    expect(await sent(outer(inner(view)))).toBe('max-age=30, s-maxage=5, private');
  });
});

test.each([
  ['Express 5', express],
  ['Express 4', express4],
])('goes together with res.set() and res.send() on %s', async (_name, makeApp) => {
  const app = makeApp();
  app.get('/', cacheControl({ maxAge: 60 }), (_req, res) => {
    res.set('Cache-Control', 'public').send('page');
  });
  const { headers } = await request(app).get('/');
  expect(headers['cache-control']).toBe('public, max-age=60');
});

test('reads its options when made, and not later', async () => {
  const options = { maxAge: 60 };
  const helper = cacheControl(options);
  options.maxAge = 1;
  const { headers } = await request(express().use(helper)).get('/');
  expect(headers['cache-control']).toBe('max-age=60');
});

test.each<[Record<string, unknown>]>([
  [{ maxAge: 'soon' }],
  [{ maxAge: -1 }],
  [{ 'no name': true }],
  [{ own: () => 1 }],
  [{ maxage: 5 }],
  [{ smaxage: 5 }],
  [{ privat: true }],
  [{ no_stored: true }],
  [{ private: 'yes' }],
  [{ private: 1 }],
  [{ noCache: 'true' }],
  [{ noStore: 'yes' }],
  [{ public: 1 }],
  [{ public: true, private: true }],
])('is not made with %j (D12)', (options) => {
  const make = () => cacheControl(options as CacheControlDirectives);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(/^cacheControl\(\) got /);
});

test.each<[given: string, directives: unknown, remedy: string]>([
  [
    'a text',
    'private',
    'got "private", which is no object of directives. Give one: { private: true }.',
  ],
  ['another text', 'no-store', 'Give one: { noStore: true }.'],
  ['a number', 60, 'got 60, which is no object of directives. Give one: { maxAge: 60 }.'],
  ['a Map', new Map([['private', true]]), 'got a Map, which is no object'],
  [
    'a list',
    ['no-store'],
    'got ["no-store"], which is no object of directives. Give one: { noStore: true }.',
  ],
  ['null', null, 'got null, which is no object'],
  ['true', true, 'got true, which is no object'],
  ['a function', () => ({}), 'got a function, which is no object'],
])('is not made with %s in place of an object (D12)', (_given, directives, remedy) => {
  const make = () => cacheControl(directives as CacheControlDirectives);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(remedy);
});

test.each<[Record<string, unknown>, string]>([
  [{ maxage: 5 }, 'the unknown directive "maxage". Did you mean maxAge?'],
  [{ staleIfErrors: 5 }, 'Did you mean staleIfError?'],
  [{ nostore: true }, 'Did you mean noStore?'],
  [{ private: 'yes' }, 'got private: "yes". Give true, false, or a string of header names'],
  [{ noStore: 1 }, 'got noStore: 1. Give true or false.'],
  [{ private: true, public: true }, 'got both public and private'],
])('names the remedy for %j (D12)', (options, message) => {
  expect(() => cacheControl(options as CacheControlDirectives)).toThrow(message);
});

test('takes sMaxAge for s-maxage, and an extension under its own name (D12)', async () => {
  const helper = cacheControl({ sMaxAge: 5, postCheck: 1, public: true, private: false });
  const { headers } = await request(express().use(helper)).get('/');
  expect(headers['cache-control']).toBe('s-maxage=5, post-check=1, public');
});
