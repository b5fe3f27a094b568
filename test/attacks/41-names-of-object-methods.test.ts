// Request headers named like methods of objects, and reads of headers by odd ways.
import { inspect } from 'node:util';
import {
  type Handler,
  type Loose,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from '../real-apps/support';

useRealApps();

const NAMES = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf'];

for (const name of NAMES) {
  const field = name.toLowerCase();
  row(`41 the header ${name} is keyed like any other`, {}, async (place) => {
    const show: Handler = (req) => {
      const value = req.headers[field];
      return `got ${typeof value === 'string' ? value : 'none'}`;
    };
    const site = await openSite({ ...place, routes: { 'GET /': show, 'GET /back': show } });
    const attacker = new Visitor(site, { headers: { [name]: 'evil' } });
    const victims = [new Visitor(site), new Visitor(site, { headers: { [name]: 'mine' } })];
    for (let times = 0; times < 2; times += 1) {
      expect(await attacker.text('/')).toBe('got evil');
      expect(await victims[0]!.text('/')).toBe('got none');
      expect(await victims[1]!.text('/')).toBe('got mine');
      // The victims come first here.
      expect(await victims[0]!.text('/back')).toBe('got none');
      expect(await attacker.text('/back')).toBe('got evil');
    }
    useful(() => expect(site.renders).toMatchObject({ '/': 3, '/back': 2 }));
  });
}

const WAYS: Record<string, Handler> = {
  'util.inspect(req.headers)': (req) => inspect(req.headers),
  'a read in writeHead': (req, res) => {
    const { writeHead } = res;
    res.writeHead = (...args: Loose[]) => {
      res.setHeader('X-Shown', req.headers['x-user'] ?? 'guest');
      return writeHead.apply(res, args);
    };
    return 'a page';
  },
  'an own toString of what is shown': (req) =>
    `${{ toString: () => req.headers['x-user'] ?? 'guest' }}`,
};

for (const [name, show] of Object.entries(WAYS)) {
  row(`41 ${name} counts like all reads`, {}, async (place) => {
    const site = await openSite({
      ...place,
      routes: { 'GET /': show, 'GET /about': () => 'about us' },
    });
    const attacker = new Visitor(site, { headers: { 'X-User': 'mallory' } });
    const victims = [new Visitor(site), new Visitor(site, { headers: { 'X-User': 'ann' } })];
    expect(wholeOf(await attacker.get('/'))).toContain('mallory');
    for (const who of [...victims, ...victims]) {
      const own = who.headers['X-User'];
      const whole = wholeOf(await who.get('/'));
      expect(whole).not.toContain('mallory');
      if (own === undefined) expect(whole).not.toContain('ann');
      else expect(whole).toContain(own);
    }
    useful(() => expect(site.renders['/']).toBe(3));
    for (const who of [attacker, ...victims]) expect(await who.text('/about')).toBe('about us');
    useful(() => expect(site.renders['/about']).toBe(1));
  });
}
