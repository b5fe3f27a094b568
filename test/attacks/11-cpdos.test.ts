import { cachePage } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

/** What makes a site answer with an error, in a header that its handler never reads itself. */
const ATTACKS: Record<string, Record<string, string>> = {
  'an oversize header': { 'X-Oversized': 'x'.repeat(8000) },
  'a tab in a header': { 'X-Meta': 'a\tb' },
  'a method override': { 'X-HTTP-Method-Override': 'DELETE' },
  'an odd Accept': { Accept: 'nothing/at-all' },
  'an odd Content-Type': { 'Content-Type': 'text/nonsense' },
  'an odd Expect-like header': { 'X-Expect': '418-teapot' },
};

/** Errors with and without a lifetime of their own. */
const ERRORS = [400, 404, 405, 413, 414, 431, 501, 503];

describe.each(Object.entries(ATTACKS))('%s', (_what, headers) => {
  test.each(ERRORS)('that makes the app answer %i leaves visitors their page', async (status) => {
    const isAttack = (got: NodeJS.Dict<string | string[]>) =>
      Object.keys(headers).some(
        (name) => got[name.toLowerCase()] === (headers as Record<string, string>)[name],
      );
    const respond: Parameters<typeof makeOrigin>[0] = (res, _call, req) => {
      if (isAttack(req.headers)) res.statusCode = status;
      res.end(`status ${res.statusCode}`);
    };
    const origin = makeOrigin(respond);
    for (const app of [pageApp(respond).app, cachePage(60)(origin.handle) as never]) {
      await visit(app, '/page').set(headers).expect(status);
      await visit(app, '/page').expect(200, 'status 200');
      await visit(app, '/page').set(headers);
      await visit(app, '/page').expect(200, 'status 200');
    }
  });
});
