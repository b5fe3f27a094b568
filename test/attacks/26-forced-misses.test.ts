import { cachePage } from 'cachewright';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import type { Listener } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

/** What a client may send to be given a fresh page. */
const FORCING: Readonly<Record<string, string>>[] = [
  { 'Cache-Control': 'no-cache' },
  { 'Cache-Control': 'NO-CACHE' },
  { 'Cache-Control': 'max-age=0' },
  { 'Cache-Control': 'max-age=0, must-revalidate' },
  { 'Cache-Control': 'min-fresh=999999' },
  { 'Cache-Control': 'only-if-cached' },
  { 'Cache-Control': 'no-transform' },
  { Pragma: 'no-cache' },
  { 'Cache-Control': 'no-cache', Pragma: 'no-cache' },
  { 'Cache-Control': 'x'.repeat(8000) },
  { 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  { 'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  { 'If-Match': '"nothing"' },
  { 'If-None-Match': '"nothing"' },
  { 'X-Refresh': '1', 'Surrogate-Capability': 'x="ESI/1.0"' },
];

const SITES: Record<string, () => { app: Listener; calls: () => number }> = {
  'the pair': () => {
    const { app, origin } = pageApp();
    return { app, calls: () => origin.calls };
  },
  'cachePage()': () => {
    const origin = makeOrigin();
    return {
      app: cachePage(60)(origin.handle) as unknown as Listener,
      calls: () => origin.calls,
    };
  },
};

describe.each(Object.entries(SITES))('behind %s', (_name, site) => {
  test.each(FORCING)('%j makes no stored page be made again', async (headers) => {
    const { app, calls } = site();
    await visit(app, '/page').expect('page 1');
    clock.advance(5);
    for (let i = 0; i < 3; i++) {
      const { text, headers: got } = await visit(app, '/page').set(headers).expect(200);
      expect(text).toBe('page 1');
      expect(got.age).toBe('5');
      await visit(app, '/page', 'head').set(headers).expect(200);
    }
    expect(calls()).toBe(1);
  });

  test.each(FORCING)('%j does not keep a page from being stored', async (headers) => {
    const { app, calls } = site();
    await visit(app, '/page').set(headers).expect('page 1');
    await visit(app, '/page').expect('page 1');
    expect(calls()).toBe(1);
  });
});
