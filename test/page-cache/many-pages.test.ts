import { caches, type LocMemCache } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches({ default: { options: { maxEntries: 100_000, maxBytes: 1e9 } } });

/** So many small pages that local memory keeps those before them as bytes. */
function storeMany(): void {
  const cache = caches.default as LocMemCache;
  const page = { byteLength: 1000, toBytes: () => Buffer.from('page') };
  for (let i = 0; i < 10_000; i++) cache.setFrozen(`other-${i}`, { ...page }, null);
}

function site() {
  return pageApp((res, call, req) => {
    res.setHeader('Cache-Tag', 'news');
    res.setHeader('Set-Line', ['one', 'two']);
    if (req.url === '/varying') res.setHeader('Vary', 'Accept-Language');
    res.end(`page ${call}`);
  });
}

describe.each(['/plain', '/varying'])('%s, on local memory before many others', (path) => {
  test('is still a hit with the bytes and headers of the miss', async () => {
    const { app, origin } = site();
    const miss = await visit(app, path);
    await settled();
    for (let time = 0; time < 3; time++) {
      if (time < 2) storeMany();
      const hit = await visit(app, path);
      expect(hit.text).toBe('page 1');
      expect(hit.headers).toMatchObject(miss.headers);
      expect(hit.headers.age).toBeDefined();
    }
    expect(origin.calls).toBe(1);
  });

  test('is purged by its tag', async () => {
    const { app } = site();
    await visit(app, path);
    await settled();
    storeMany();
    await caches.default.invalidateTags(['news']);
    expect((await visit(app, path)).text).toBe('page 2');
  });

  test('is shown once more after a soft purge', async () => {
    const { app } = site();
    await visit(app, path);
    await settled();
    storeMany();
    await caches.default.invalidateTags(['news'], { mode: 'soft' });
    expect((await visit(app, path)).text).toBe('page 1');
    await settled();
    expect((await visit(app, path)).text).toBe('page 2');
  });
});
