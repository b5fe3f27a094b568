// Headers that handlers read: all of them, by odd names, at odd moments.
import { inspect } from 'node:util';
import {
  cookieOf,
  expectOwn,
  expectShared,
  type Handler,
  type Loose,
  type Middleware,
  MOUNTS,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from './support';

const onHeaders: Loose = require('on-headers');

useRealApps();

/** How frameworks copy all headers. */
const COPIES: Record<string, (req: Loose) => Record<string, string>> = {
  'a spread': (req) => ({ ...req.headers }),
  'Object.entries': (req) => Object.fromEntries(Object.entries(req.headers)) as never,
  'Object.assign': (req) => Object.assign({}, req.headers),
  'for … in': (req) => {
    const copy: Record<string, string> = {};
    for (const name in req.headers) copy[name] = req.headers[name];
    return copy;
  },
  'new Headers': (req) => Object.fromEntries(new Headers(Object.entries(req.headers) as never)),
  'a Web Request': (req) => {
    const headers = new Headers();
    for (const [name, value] of Object.entries(req.headers)) headers.set(name, String(value));
    return Object.fromEntries(new Request('http://www.example.com/', { headers }).headers);
  },
  JSON: (req) => JSON.parse(JSON.stringify(req.headers)),
  structuredClone: (req) => structuredClone(req.headers),
};

for (const [name, copy] of Object.entries(COPIES)) {
  row(`A12 ${name}: a header that was absent counts`, {}, async (place) => {
    const show: Handler = (req) => {
      const { 'x-tenant': tenant, 'accept-language': language } = copy(req);
      return `${tenant ?? 'no tenant'} ${language ?? 'no language'}`;
    };
    const site = await openSite({
      ...place,
      routes: { 'GET /': show, 'GET /other': show, 'GET /same': () => 'the same for all' },
    });
    const visitors = {
      'no tenant no language': new Visitor(site),
      'acme no language': new Visitor(site, { headers: { 'X-Tenant': 'acme' } }),
      'no tenant de': new Visitor(site, { headers: { 'Accept-Language': 'de' } }),
    };
    const order = Object.entries(visitors);
    for (const [path, entries] of [
      ['/', order],
      ['/other', order.toReversed()],
    ] as const) {
      for (const [expected, who] of [...entries, ...entries]) {
        const answer = await who.get(path);
        expect(answer.text).toBe(expected);
        // A cache behind this one cannot know which of them mattered.
        expectOwn(answer, /\*/);
      }
    }
    useful(() => expect(site.renders).toMatchObject({ '/': 3, '/other': 3 }));
    await expectShared(site, Object.values(visitors));
  });
}

/** 50 browsers, no two of which send the same fields. */
function browsers(): Record<string, string>[] {
  return Array.from({ length: 50 }, (_, i) => ({
    Accept: i % 3 === 0 ? '*/*' : 'text/html',
    'Accept-Encoding': i % 2 === 0 ? 'gzip' : 'gzip, br',
    'User-Agent': `Browser/${i}`,
    'Sec-Fetch-Site': i % 2 === 0 ? 'none' : 'cross-site',
    'Sec-CH-UA': `"B";v="${i}"`,
    ...(i % 5 === 0 ? { DNT: '1' } : {}),
    ...(i % 7 === 0 ? { Referer: `http://other.example/${i}` } : {}),
    Cookie: `_ga=GA1.${i}`,
  }));
}

for (const name of ['a spread', 'new Headers', 'a Web Request', 'JSON']) {
  const options = { key: { headers: ['accept-language'] } };
  row(`A13 ${name}, with key.headers: 50 browsers share a page`, {}, async (place) => {
    const show: Handler = (req) => {
      const copied = COPIES[name]!(req);
      const others = Object.keys(copied).filter((field) =>
        /^(user-agent|sec-|dnt|referer|cookie|x-)/.test(field),
      );
      return `${copied['accept-language']} ${others.join()}`;
    };
    const site = await openSite({ ...place, options, routes: { 'GET /': show } });
    const all = browsers();
    for (let visits = 0; visits < 200; visits += 1) {
      const language = visits % 2 === 0 ? 'de' : 'en';
      const headers = { ...all[visits % all.length], 'Accept-Language': language };
      const answer = await new Visitor(site, { headers }).get('/');
      // Handlers see no other field.
      useful(() => expect(answer.text).toBe(`${language} `));
      useful(() => expect(answer.headers.vary ?? '').not.toMatch(/sec-|user-agent|dnt|cookie/i));
    }
    useful(() => expect(site.renders['/']).toBe(2));
  });
}

row('A13 key.headers: the cookie counts where it is listed', { held: MOUNTS }, async (place) => {
  const show: Handler = (req) => `Hello ${cookieOf({ headers: { ...req.headers } } as Loose, 'u')}`;
  const options = { key: { headers: ['cookie'] } };
  const site = await openSite({ ...place, options, routes: { 'GET /': show } });
  for (const name of ['ann', 'bob', 'ann', 'bob']) {
    const headers = { 'User-Agent': String(Math.random()) };
    const who = new Visitor(site, { cookies: { u: name }, headers });
    expect(await who.text('/')).toBe(`Hello ${name}`);
  }
  useful(() => expect(site.renders['/']).toBe(2));
});

row('A13 key.headers: other methods see all headers', {}, async (place) => {
  const site = await openSite({
    ...place,
    options: { key: { headers: ['accept-language'] } },
    routes: {
      'GET /': (req) => `GET ${req.headers['x-tenant'] ?? 'none'}`,
      'POST /': (req) => `POST ${req.headers['x-tenant'] ?? 'none'}`,
    },
  });
  const who = new Visitor(site, { headers: { 'X-Tenant': 'acme' } });
  const answer = await who.text('/');
  useful(() => expect(answer).toBe('GET none'));
  expect((await who.post('/')).text).toBe('POST acme');
});

for (const field of ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__']) {
  const name = field.toLowerCase();
  // `constructor` was taken for the method of objects.
  const held = field === 'constructor' ? [] : MOUNTS;
  row(`A14 a header named ${field}`, { held }, async (place) => {
    const read = (req: Loose) =>
      Object.hasOwn(req.headers, name) ? String(req.headers[name]) : 'nothing';
    const site = await openSite({
      ...place,
      routes: {
        'GET /': (req) => `sent: ${typeof req.headers[name] === 'string' ? read(req) : 'nothing'}`,
        'GET /same': () => 'the same for all',
      },
    });
    const [without, one, two] = [
      new Visitor(site),
      new Visitor(site, { headers: { [field]: 'one' } }),
      new Visitor(site, { headers: { [field]: 'two' } }),
    ];
    const isCarried = field !== '__proto__';
    for (const who of [without, one, two, without, two, one]) {
      const value = who === one ? 'one' : 'two';
      const expected = who === without || !isCarried ? 'nothing' : value;
      expect(await who.text('/')).toBe(`sent: ${expected}`);
    }
    // Once more, as the first run did not look at all that the second did.
    useful(() => expect(site.renders['/']).toBeLessThanOrEqual(4));
    await expectShared(site, [without, one, two]);
  });
}

/** Moments and ways at which nobody expects a header to be read. */
const READS: Record<string, { inside: Middleware[]; show: Handler }> = {
  'util.inspect(req.headers)': {
    inside: [],
    show: (req) => /'x-user': '(\w+)'/.exec(inspect(req.headers))?.[1] ?? 'guest',
  },
  'console.log of the request': {
    inside: [],
    show: (req) => /'x-user': '(\w+)'/.exec(inspect(req, { depth: 3 }))?.[1] ?? 'guest',
  },
  'a listener of on-headers': {
    inside: [
      (req, res, next) => {
        onHeaders(res, () => res.setHeader('X-Name', req.headers['x-user'] ?? 'guest'));
        next();
      },
    ],
    show: () => 'a page',
  },
  'a writeHead that was replaced': {
    inside: [
      (req, res, next) => {
        const { writeHead } = res;
        res.writeHead = (...args: unknown[]) => {
          res.setHeader('X-Name', req.headers['x-user'] ?? 'guest');
          return writeHead.apply(res, args);
        };
        next();
      },
    ],
    show: () => 'a page',
  },
  'an end that was replaced': {
    inside: [
      (req, res, next) => {
        const { end } = res;
        res.end = (...args: unknown[]) => {
          if (!res.headersSent) res.setHeader('X-Name', req.headers['x-user'] ?? 'guest');
          return end.apply(res, args);
        };
        next();
      },
    ],
    show: () => 'a page',
  },
  'a send that was replaced': {
    inside: [
      (req, res, next) => {
        const { send } = res;
        res.send = (body: unknown) => send.call(res, `${body} ${req.headers['x-user'] ?? 'guest'}`);
        next();
      },
    ],
    show: () => 'a page for',
  },
};

for (const [name, { inside, show }] of Object.entries(READS)) {
  const held = /^an? (end|send) /.test(name) ? MOUNTS : [];
  row(`A14 ${name} counts`, { held }, async (place) => {
    const run: Handler = async (req, res) => {
      for (const step of inside) await new Promise<void>((next) => step(req, res, () => next()));
      return show(req, res);
    };
    const site = await openSite({
      ...place,
      routes: { 'GET /': run, 'GET /other': run, 'GET /same': () => 'the same for all' },
    });
    const named = (user: string) => new Visitor(site, { headers: { 'X-User': user } });
    const visitors = { ann: named('ann'), bob: named('bob'), guest: new Visitor(site) };
    const order = Object.entries(visitors);
    for (const [path, entries] of [
      ['/', order],
      ['/other', order.toReversed()],
    ] as const) {
      for (const [who, visitor] of [...entries, ...entries]) {
        const answer = await visitor.get(path);
        expect(answer.headers['x-name'] ?? answer.text.split(' ').at(-1)).toBe(who);
      }
    }
    await expectShared(site, Object.values(visitors));
  });
}
