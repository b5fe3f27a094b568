import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

const directory = mkdtempSync(join(tmpdir(), 'cachewright-range-'));
const PAGE = 'The whole page, from its beginning to its end.';
writeFileSync(join(directory, 'page.txt'), PAGE);
afterAll(() => rmSync(directory, { recursive: true }));

const RANGES = [
  'bytes=0-0',
  'bytes=-1',
  'bytes=5-',
  'bytes=0-0,-1',
  `bytes=${Array.from({ length: 100 }, (_, i) => `${i % 20}-`).join(',')}`,
  'bytes=9999-',
  'bytes=5-2',
  'bytes=',
  'lines=0-1',
];

/** What a stored page answers; one that is no range, or too many, get the whole of it. */
const ANSWERS: Record<string, [number, string]> = {
  'bytes=0-0': [206, PAGE.slice(0, 1)],
  'bytes=-1': [206, PAGE.slice(-1)],
  'bytes=5-': [206, PAGE.slice(5)],
  'bytes=9999-': [416, ''],
  'bytes=': [416, ''],
};

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('on %s', (_name, makeApp) => {
  function site() {
    let calls = 0;
    const shown: unknown[] = [];
    const app = (makeApp as typeof express)();
    app.use(updateCache(), fetchFromCache());
    app.use((req, _res, next) => {
      calls += 1;
      shown.push(req.headers.range);
      next();
    });

    app.get('/page', (_req, res) =>
      // By default it sends max-age=0, with which no page is stored.
      res.sendFile(join(directory, 'page.txt'), { maxAge: 60_000 }),
    );
    return { app, calls: () => calls, shown };
  }

  test.each(RANGES)('%s first leaves the whole page to others', async (range) => {
    const { app, calls, shown } = site();
    const uncached = (makeApp as typeof express)();
    uncached.get('/page', (_req, res) => res.sendFile(join(directory, 'page.txt')));
    for (const method of ['get', 'head'] as const) {
      const { status, text, headers } = await visit(app, '/page', method).set('Range', range);
      const plain = await visit(uncached, '/page', method).set('Range', range);
      // The app answers as it does without the cache (D4).
      expect([status, headers['content-range']]).toEqual([
        plain.status,
        plain.headers['content-range'],
      ]);
      expect(text).toBe(plain.text);
    }
    expect(shown[0]).toBe(range);
    const before = calls();
    for (const _visit of [1, 2]) {
      const { headers, text } = await visit(app, '/page').expect(200);
      expect(text).toBe(PAGE);
      expect(headers['content-length']).toBe(String(PAGE.length));
      expect(headers).not.toHaveProperty('content-range');
    }
    expect(calls()).toBeLessThanOrEqual(before + 1);
    expect(shown.slice(before)).not.toContain(range);
  });

  test.each(RANGES)('%s of a stored page gets what is asked for, or all of it', async (range) => {
    const { app, calls } = site();
    await visit(app, '/page').expect(200, PAGE);
    const { status, headers, text } = await visit(app, '/page').set('Range', range);
    if (range === 'bytes=0-0,-1') {
      expect(status).toBe(206);
      expect(headers['content-type']).toMatch(/^multipart\/byteranges/);
    } else {
      expect([status, text ?? '']).toEqual(ANSWERS[range] ?? [200, PAGE]);
      expect('content-range' in headers).toBe(status !== 200);
    }
    await visit(app, '/page').expect(200, PAGE);
    expect(calls()).toBe(1);
  });

  test('If-Range with a range first leaves the whole page to others', async () => {
    const { app } = site();
    const first = await visit(app, '/page').set({ Range: 'bytes=0-0', 'If-Range': '"other"' });
    // What the handler sends is the whole page, as the tag is not its own.
    expect(first.status).toBe(200);
    const { etag, 'last-modified': lastModified } = first.headers;
    // A weak tag is not good enough to put parts together by (RFC 9110 §13.1.5).
    await visit(app, '/page').set({ Range: 'bytes=0-0', 'If-Range': etag! }).expect(200);
    await visit(app, '/page').set({ Range: 'bytes=0-0', 'If-Range': lastModified! }).expect(206);
    await visit(app, '/page').expect(200, PAGE);
  });
});
