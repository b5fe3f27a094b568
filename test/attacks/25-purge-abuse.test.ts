import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();

/** A page in a group, on a site that takes POST, and no method that it does not know. */
function site() {
  return pageApp((res, call, req) => {
    res.setHeader('Cache-Groups', '"all"');
    if (!['GET', 'HEAD', 'OPTIONS', 'POST'].includes(req.method!)) res.statusCode = 405;
    res.end(`page ${call}`);
  }).app;
}

async function stays(app: ReturnType<typeof site>): Promise<void> {
  await settled();
  await visit(app, '/page').expect('page 1').expect('Age', /^\d/);
}

test.each(['purge', 'unlock', 'm-search', 'delete'])(
  'a client cannot purge a page by %s, which the site refuses',
  async (method) => {
    const app = site();
    await visit(app, '/page').expect('page 1');
    await visit(app, '/page', method as 'delete');
    await stays(app);
  },
);

test.each(['get', 'head', 'options', 'post'])(
  'a client that sends the headers of a purge by %s purges no group',
  async (method) => {
    const app = site();
    await visit(app, '/page').expect('page 1');
    await visit(app, '/other', method as 'get').set({
      'Cache-Group-Invalidation': '"all"',
      'Cache-Groups': '"all"',
      'Cache-Tag': 'all',
      'Surrogate-Key': 'all',
    });
    await stays(app);
  },
);

test.each(['get', 'head', 'options'])(
  'a response to %s that echoes what a client would purge purges nothing',
  async (method) => {
    const { app } = pageApp((res, call, req) => {
      const echoed = req.headers['x-echo'];
      if (echoed !== undefined) res.setHeader('Cache-Group-Invalidation', echoed);
      res.setHeader('Cache-Groups', '"all"');
      res.end(`page ${call}`);
    });
    await visit(app, '/page').expect('page 1');
    await visit(app, '/other', method as 'get')
      .set({ 'X-Echo': '"all"', 'X-HTTP-Method-Override': 'POST' })
      .expect('Cache-Group-Invalidation', '"all"');
    await stays(app);
  },
);

test('a flood of POSTs for one page makes no other page anew', async () => {
  const app = site();
  await visit(app, '/page').expect('page 1');
  await Promise.all(Array.from({ length: 200 }, (_, i) => visit(app, `/other/${i % 2}`, 'post')));
  await stays(app);
});
