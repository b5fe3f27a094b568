// Options that a developer got wrong must not leave a page open to everybody.
import {
  type CacheSettings,
  cacheApp,
  cacheControl,
  cachePage,
  configureCaches,
  patchCacheControl,
  updateCache,
} from 'cachewright';
import { type Loose, openSite, row, useful, useRealApps, Visitor } from '../real-apps/support';

useRealApps();

const wrong = <T>(value: unknown) => value as T;

const MADE: Record<string, [make: () => unknown, names: RegExp]> = {
  "cacheControl('private')": [() => cacheControl(wrong('private')), /cacheControl\(\)/],
  'cacheControl({ pirvate: true })': [() => cacheControl(wrong({ pirvate: true })), /private/],
  "cacheControl(['no-store'])": [() => cacheControl(wrong(['no-store'])), /cacheControl\(\)/],
  'cachePage(60, { keyPrefx })': [() => cachePage(60, wrong({ keyPrefx: 'x' })), /keyPrefix/],
  'cachePage(60, { varyonread: true })': [
    () => cachePage(60, wrong({ varyonread: true })),
    /varyOnRead/,
  ],
  'updateCache({ key: { segmnt } })': [
    () => updateCache(wrong({ key: { segmnt: () => 'tenant' } })),
    /segment/,
  ],
  'updateCache({ storeif })': [() => updateCache(wrong({ storeif: () => false })), /storeIf/],
  'cacheApp(app, { Skip })': [() => cacheApp(() => {}, wrong({ Skip: () => true })), /skip/],
  'configureCaches({ default: { TIMEOUT } })': [
    () => configureCaches({ default: wrong<CacheSettings>({ TIMEOUT: 1 }) }),
    /timeout/,
  ],
};

for (const [name, [make, names]] of Object.entries(MADE)) {
  test(`43 ${name} is an error when it is made, which names the remedy`, () => {
    expect(make).toThrow(names);
  });
}

row("43 patchCacheControl(res, ['no-store']) shares nothing", {}, async (place) => {
  const site = await openSite({
    ...place,
    routes: {
      'GET /account': (req, res) => {
        patchCacheControl(res, (req.query.right ? { noStore: true } : ['no-store']) as Loose);
        return `secret of ${Math.random()}`;
      },
      'GET /about': () => 'about us',
    },
  });
  const [attacker, victim] = [new Visitor(site), new Visitor(site)];
  for (const who of [attacker, victim, attacker]) {
    const { status, text } = await who.get('/account');
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    expect(text).toContain('patchCacheControl');
  }
  // Said as it should be, it is heeded; and the app goes on caching.
  const secrets = new Set<string>();
  for (const who of [attacker, victim]) secrets.add(await who.text('/account?right=1'));
  expect(secrets.size).toBe(2);
  for (const who of [attacker, victim]) expect(await who.text('/about')).toBe('about us');
  useful(() => expect(site.renders['/about']).toBe(1));
});
