// Templates that show who visits, by the engines that Express apps use.
import { ENGINES, viewsOf } from './engines';
import { enterSession, sessions, userInLocals } from './packages';
import { type PersonalApp, personalRow, useRealApps } from './support';

useRealApps();

const withSession = (view: string): PersonalApp => ({
  middleware: () => [sessions(), userInLocals],
  enter: enterSession,
  show: (_req, res) => void res.render(view),
});

for (const [name, engine] of Object.entries(ENGINES)) {
  const setup = viewsOf(engine);

  personalRow(`A5 ${name} shows res.locals.user`, { ...withSession('me'), setup });

  personalRow(`A5 ${name} shows res.locals.user in a file that is included`, {
    ...withSession('layout'),
    setup,
  });

  personalRow(`A5 ${name} shows what the handler gives it`, {
    ...withSession('me'),
    setup,
    middleware: () => [sessions()],
    show: (req, res) => {
      res.render('me', { user: req.session.user });
    },
  });

  personalRow(`A5 ${name}, rendered to a string by the handler`, {
    ...withSession('me'),
    setup,
    show: (_req, res) =>
      new Promise((resolve, reject) => {
        res.render('me', (error: unknown, html: string) => (error ? reject(error) : resolve(html)));
      }),
  });
}
