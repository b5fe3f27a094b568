import type { ServerResponse } from 'node:http';
import { varyOnHeaders } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import type { Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

/** Ways in which an asterisk gets into Vary. */
const WAYS: Record<string, (res: ServerResponse) => void> = {
  alone: (res) => res.setHeader('Vary', '*'),
  'in a list': (res) => res.setHeader('Vary', 'Accept, *, Cookie'),
  'without spaces': (res) => res.setHeader('Vary', 'Accept,*'),
  padded: (res) => res.setHeader('Vary', '  \t* '),
  'padded in a list': (res) => res.setHeader('Vary', 'Accept ,\t*\t, Cookie'),
  'after an empty element': (res) => res.setHeader('Vary', ',,*'),
  'on a line of its own': (res) => res.setHeader('Vary', ['Accept', '*']),
  'by appendHeader()': (res) => {
    res.setHeader('Vary', 'Accept');
    res.appendHeader('Vary', '*');
  },
  'under another spelling of Vary': (res) => res.setHeader('vARY', '*'),
  'by writeHead() with an object': (res) => void res.writeHead(200, { vary: '*' }),
  'by writeHead() with a flat array': (res) =>
    void res.writeHead(200, ['Vary', 'Accept', 'Vary', '*']),
};

test.each(Object.entries(WAYS))('an asterisk %s is never reused', async (_how, vary) => {
  const { app, origin } = pageApp((res, call) => {
    vary(res);
    res.end(`page ${call}`);
  });
  for (const call of [1, 2, 3]) await visit(app, '/page').expect(`page ${call}`);
  await visit(app, '/page', 'head').expect(200);
  expect(origin.calls).toBe(4);
});

test('an asterisk from middleware or a helper is never reused', async () => {
  const star: Step = (_req, res, next) => {
    res.setHeader('Vary', '*');
    next();
  };
  for (const between of [star, varyOnHeaders('*') as Step, varyOnHeaders('Accept', '*') as Step]) {
    const { app } = pageApp(
      (res, call) => {
        res.end(`page ${call}`);
      },
      { between: [between] },
    );
    await visit(app, '/page').expect('page 1');
    await visit(app, '/page').expect('page 2');
  }
});

test('an asterisk later on does not replace a stored page, nor is it stored', async () => {
  const { app } = pageApp((res, call, req) => {
    res.setHeader('Vary', req.headers['x-star'] === undefined ? 'X-Star' : '*');
    res.end(`page ${call}`);
  });
  await visit(app, '/page').expect('page 1');
  await visit(app, '/page').set('X-Star', '1').expect('page 2');
  await visit(app, '/page').set('X-Star', '1').expect('page 3');
  await visit(app, '/page').expect('page 1');
});
