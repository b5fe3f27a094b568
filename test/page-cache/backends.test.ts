import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CacheSettings, caches, configureCaches, DummyCache, LocMemCache } from 'cachewright';
import { ByteCache } from '../support/backends';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';
import { describePages } from './pages';

const directory = mkdtempSync(join(tmpdir(), 'cachewright-pages-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Passes pages through bytes, as another process would see them. */
const BACKENDS: Record<string, CacheSettings> = {
  'local memory': {},
  files: { backend: 'file', location: directory },
  'a class of bytes': { backend: ByteCache, location: 'page-backends' },
  'a class on local memory': { backend: class Own extends LocMemCache {}, location: 'page-own' },
};

for (const [name, settings] of Object.entries(BACKENDS)) {
  describePages(name, () => settings, { tellsRemovals: name !== 'a class of bytes' });
}

test('the page cache touches no alias but its own, nor closes any (SIG-01, ISO-01)', async () => {
  const closed: string[] = [];
  class Watched extends LocMemCache {
    override async close() {
      closed.push('watched');
    }
  }
  configureCaches({ default: {}, pages: { backend: Watched, location: 'watched' }, idle: {} });
  const { app } = pageApp(undefined, { options: { cache: 'pages' } });
  expect(caches.all({ initializedOnly: true })).toEqual([]);
  await visit(app, '/page').expect('page 1');
  await visit(app, '/page').expect('page 1');
  const used = caches.all({ initializedOnly: true });
  expect(used).toEqual([caches.pages]);
  // Django closes at the end of each request; one instance a process stays open until told.
  expect(closed).toEqual([]);
  await caches.closeAll();
  expect(closed).toEqual(['watched']);
});

test('on the dummy backend every visit is a miss that is told it may be kept', async () => {
  const { app } = pageApp(undefined, { options: { cache: new DummyCache() } });
  await visit(app, '/page').expect('page 1').expect('Cache-Control', 'max-age=600');
  await visit(app, '/page').expect('page 2');
});
