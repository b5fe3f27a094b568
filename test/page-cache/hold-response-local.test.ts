import { fetchFromCache, updateCache } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1, serveHttp2 } from '../support/http-client';

// A file of its own: no other cache of the process is purged, too.
freshCaches();

test.each([
  ['HTTP/1', serveHttp1],
  ['HTTP/2', serveHttp2],
])('in local memory nothing waits, over %s', async (_name, serve) => {
  const seen: unknown[] = [];
  const update = updateCache();
  const fetch = fetchFromCache();
  let count = 0;
  const site = await serve((req, res) =>
    update(req, res, () =>
      fetch(req, res, () => {
        if (req.method === 'POST') count += 1;
        res.end(`count ${count}`);
        if (req.method === 'POST') seen.push(res.finished, Object.hasOwn(res, 'writableEnded'));
      }),
    ),
  );
  try {
    await site.get('/a');
    await site.get('/a', {}, 'POST');
    expect(seen).toEqual([true, false]);
    expect(String((await site.get('/a')).body)).toBe('count 1');
  } finally {
    await site.close();
  }
});
