// Templates that do not show who visits, in apps that put the user into res.locals.
import { ENGINES, viewsOf } from './engines';
import { putIn } from './packages';
import { INSIDE, openSite, row, useful, useRealApps, Visitor } from './support';

useRealApps();

for (const [name, engine] of Object.entries(ENGINES)) {
  const setup = viewsOf(engine);

  row(`C7 ${name}: a template that does not use the user`, { mounts: INSIDE }, async (place) => {
    const site = await openSite({
      ...place,
      setup,
      middleware: [
        putIn((req, res) => {
          const name = /u=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
          if (name) res.locals.user = name;
        }),
      ],
      routes: {
        'GET /me': (_req, res) => void res.render('me'),
        'GET /same': (_req, res) => void res.render('same'),
      },
    });
    const [ann, bob] = ['ann', 'bob'].map((u) => new Visitor(site, { cookies: { u } })) as [
      Visitor,
      Visitor,
    ];
    const [stranger, tracked] = [new Visitor(site), new Visitor(site, { cookies: { _ga: '1' } })];
    for (const who of [ann, stranger, bob, tracked, ann, bob]) {
      expect(await who.text('/same')).toBe('the same for all');
      const expected = who === ann ? 'ann' : who === bob ? 'bob' : 'guest';
      expect(await who.text('/me')).toBe(`Hello ${expected}`);
    }
    // Where nobody can tell, the user counts; strangers share the page all the same.
    useful(() => {
      expect(site.renders['/me']).toBe(3);
      expect(site.renders['/same']).toBeLessThanOrEqual(engine.seesUse ? 1 : 3);
    });
  });
}
