// The handler copies all headers, and uses one that the first visitor did not send.
import {
  expectOwn,
  type Handler,
  type Loose,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from '../real-apps/support';

useRealApps();

const COPIES: Record<string, (req: Loose) => Headers> = {
  'a spread': (req) => new Headers({ ...req.headers }),
  'a Web Request': (req) =>
    new Request('http://www.example.com/', { headers: Object.entries(req.headers) as never })
      .headers,
  headersDistinct: (req) => new Headers(JSON.parse(JSON.stringify(req.headersDistinct))),
};

for (const [name, copy] of Object.entries(COPIES)) {
  row(`36 ${name}: absence of a header is part of the key`, {}, async (place) => {
    const show: Handler = (req) => {
      const headers = copy(req);
      return `prices of ${headers.get('x-tenant') ?? 'the public'} in ${headers.get('accept-language') ?? 'en'}`;
    };
    const site = await openSite({
      ...place,
      routes: { 'GET /': show, 'GET /back': show, 'GET /about': () => 'about us' },
    });
    const visitors = {
      'prices of the public in en': new Visitor(site),
      'prices of acme in en': new Visitor(site, { headers: { 'X-Tenant': 'acme' } }),
      'prices of the public in de': new Visitor(site, { headers: { 'Accept-Language': 'de' } }),
    };
    const [attacker, tenant, german] = Object.entries(visitors);
    // The attacker sends neither and comes first; then the other way round.
    for (const [path, order] of [
      ['/', [attacker!, tenant!, german!]],
      ['/back', [german!, tenant!, attacker!]],
    ] as const) {
      for (const [expected, who] of [...order, ...order]) {
        const answer = await who.get(path);
        expect(answer.text).toBe(expected);
        expectOwn(answer, /\*/);
      }
    }
    // The cache does not look into `headersDistinct`: it refuses to store the page.
    const renders = name === 'headersDistinct' ? 6 : 3;
    useful(() => expect(site.renders).toMatchObject({ '/': renders, '/back': renders }));
    for (const who of Object.values(visitors)) expect(await who.text('/about')).toBe('about us');
    useful(() => expect(site.renders['/about']).toBe(1));
  });
}
