import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

const CONDITIONS: Record<string, string>[] = [
  { 'If-None-Match': '"v1"' },
  { 'If-None-Match': 'W/"v1"' },
  { 'If-None-Match': '*' },
  { 'If-None-Match': '"a", "v1", "b"' },
  { 'If-Modified-Since': 'Fri, 01 Jan 2038 00:00:00 GMT' },
  { 'If-Match': '"other"' },
  { 'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  { 'If-Range': '"v1"', Range: 'bytes=0-0' },
];

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('on %s', (_name, makeApp) => {
  /** A site whose handlers would answer 304, 412 and 206 if they were asked to. */
  function site() {
    let calls = 0;
    const app = makeApp();
    app.use(updateCache(), fetchFromCache());
    app.get('/page', (_req, res) => {
      calls += 1;
      res.set({ ETag: '"v1"', 'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT' });
      res.send(`page ${calls}`);
    });
    return { app, calls: () => calls };
  }

  test.each(CONDITIONS)('a cold cache that is asked with %j does fill', async (headers) => {
    const { app, calls } = site();
    for (const _visit of [1, 2, 3]) await visit(app, '/page').set(headers);
    expect(calls()).toBe(1);
    const { text } = await visit(app, '/page').expect(200);
    expect(text).toBe('page 1');
    expect(calls()).toBe(1);
  });

  test('the one who asks gets the answer it asked for, on a miss and on a hit', async () => {
    const { app, calls } = site();
    for (const _visit of [1, 2]) {
      const { text } = await visit(app, '/page').set('If-None-Match', '"v1"').expect(304);
      expect(text).toBe('');
      await visit(app, '/page').set('If-None-Match', '"v0"').expect(200, 'page 1');
    }
    expect(calls()).toBe(1);
  });
});
