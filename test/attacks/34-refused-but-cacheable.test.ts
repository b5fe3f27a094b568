// A page that was refused as personal, and a cache behind this one that would keep it for the next.
import { putIn } from '../real-apps/packages';
import {
  closeLater,
  cookieOf,
  expectOwn,
  type Handler,
  INSIDE,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from '../real-apps/support';
import { describeWithServer, startNginx } from '../support/servers';

useRealApps();

/** Pages that show the visitor, each in another way of which the cache refuses to store most. */
const PAGES: Record<string, Handler> = {
  'req.user': (req) => `account of ${req.user?.name ?? 'guest'}`,
  'a method of req.user': (req) => `account of ${req.user?.tell() ?? 'guest'}`,
  rawHeaders: (req) => `account of ${/\bu=(\w+)/.exec(req.rawHeaders.join())?.[1] ?? 'guest'}`,
  'req.ip and a cookie': (req) => `account of ${cookieOf(req, 'u') ?? 'guest'} at ${req.ip}`,
  'a cookie that it sets': (req, res) => {
    res.cookie('seen', cookieOf(req, 'u') ?? 'guest');
    return `account of ${cookieOf(req, 'u') ?? 'guest'}`;
  },
  'a cookie that is read late': (req, res) => {
    res.write('account of ');
    res.end(cookieOf(req, 'u') ?? 'guest');
  },
  'a closure over the request': (_req, res) => `account of ${res.locals.who()}`,
};

describeWithServer('nginx', '34 behind nginx, a personal page', () => {
  for (const [name, show] of Object.entries(PAGES)) {
    row(`34 made of ${name} is for its visitor alone`, {}, async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          putIn((req, res) => {
            const user = cookieOf(req, 'u');
            if (user) req.user = { name: user, tell: () => user };
            res.locals.who = () => user ?? 'guest';
          }),
        ],
        routes: { 'GET /account': show, 'GET /about': () => 'about us' },
      });
      const nginx = await startNginx(site.port);
      closeLater(() => nginx.stop());
      const [mallory, ann] = ['mallory', 'ann'].map((u) => new Visitor(nginx, { cookies: { u } }));
      const stranger = new Visitor(nginx);
      const people = [
        [mallory!, 'mallory'],
        [ann!, 'ann'],
        [stranger, 'guest'],
      ] as const;
      for (const [who, own] of [...people, ...people]) {
        const answer = await who.get('/account');
        expect(answer.text).toContain(`account of ${own}`);
        for (const [, other] of people) {
          if (other !== own) expect(wholeOf(answer)).not.toContain(other);
        }
        if (own !== 'guest') expectOwn(answer);
      }
      // What is the same for all is kept by nginx.
      if (!INSIDE.includes(place.mount)) return;
      const status: unknown[] = [];
      for (const who of [mallory!, ann!, stranger]) {
        status.push((await who.get('/about')).headers['x-cache-status']);
      }
      useful(() => expect(status).toEqual(['MISS', 'HIT', 'HIT']));
    });
  }
});
