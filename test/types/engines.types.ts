/** Compiled by `npm run typecheck` and never run: the engines fit where Express takes one. */
import { cacheView } from 'cachewright';
import { ejsEngine } from 'cachewright/ejs';
import { etaEngine } from 'cachewright/eta';
import ejs from 'ejs';
import { Eta } from 'eta';
import express from 'express';

const app = express();
app.engine('ejs', ejsEngine(ejs));
app.engine('html', ejsEngine(ejs, { delimiter: '?', root: ['views'] }));
app.engine('eta', etaEngine(new Eta({ views: 'views' })));

// @ts-expect-error EJS's own options
ejsEngine(ejs, { delimiter: 7 });
// @ts-expect-error no EJS
ejsEngine({ render: () => '' });
// @ts-expect-error no Eta
etaEngine({ views: 'views' });

app.get('/', async (_req, res) => {
  const html: string = await cacheView(res, 500, 'sidebar', ['de', 7], async () => ({ a: 1 }), {
    name: 'nav',
    using: 'default',
    version: 2,
    tags: ['a'],
  });
  res.send(html + (await cacheView(res, null, 'sidebar')));
  // @ts-expect-error seconds come first
  await cacheView(res, 'sidebar', 500);
  // @ts-expect-error the locals of a view are an object
  await cacheView(res, 500, 'sidebar', [], 'text');
});
