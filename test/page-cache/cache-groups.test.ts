import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  cachePage,
  caches,
  configureCaches,
  fetchFromCache,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

type Field = string | string[];

/** A site whose pages are in the groups of their path, `/a+b` in "a" and "b". */
function answer(res: ServerResponse, call: number, req: IncomingMessage): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    write(res, req);
    return;
  }
  const groups = req.url!.slice(1).split('+');
  res.setHeader('Cache-Groups', groups.map((group) => `"${group}"`).join(', '));
  res.end(`page ${call}`);
}

/** Answers as the request asks for. */
function write(res: ServerResponse, req: IncomingMessage): void {
  const { 'x-purged': purged, 'x-status': status = '200' } = req.headers;
  res.statusCode = Number(status);
  if (purged !== undefined) res.setHeader('Cache-Group-Invalidation', purged);
  res.end();
}

function site(options: PageCacheOptions = {}) {
  const { app } = pageApp(answer, { options });
  return asked(app);
}

function asked(app: Parameters<typeof visit>[0]) {
  const read = async (path: string, host = 'www.example.com') => {
    const { text } = await visit(app, path).set('Host', host).expect(200);
    await settled();
    return text;
  };
  const purge = async (
    groups: string,
    { status = '200', host = 'www.example.com', method = 'post' } = {},
  ) => {
    await visit(app, '/writes', method as 'post').set({
      Host: host,
      'X-Purged': groups,
      'X-Status': status,
    });
    await settled();
  };
  return { app, read, purge };
}

describeEachStack((build) => {
  const caching: [string, () => Step[]][] = [
    ['the pair', () => [updateCache(), fetchFromCache()] as unknown as Step[]],
    ['cachePage', () => [cachePage(60) as unknown as Step]],
  ];
  test.each(caching)(
    'behind %s a write purges the groups that it names (RFC 9875 §3)',
    async (_which, steps) => {
      const { app, read, purge } = asked(build([...steps(), makeOrigin(answer).handle]));
      expect([await read('/a+b'), await read('/b+c'), await read('/c')]).toEqual(
        [1, 2, 3].map((call) => `page ${call}`),
      );
      const { headers } = await visit(app, '/a+b').expect('page 1');
      expect(headers['cache-groups']).toBe('"a", "b"');
      await purge('"a", "other"');
      expect([await read('/b+c'), await read('/c')]).toEqual(['page 2', 'page 3']);
      // Runs are counted with the writes.
      expect(await read('/a+b')).toBe('page 5');
      await purge('"c"');
      expect(await read('/a+b')).toBe('page 5');
      expect([await read('/b+c'), await read('/c')]).toEqual(['page 7', 'page 8']);
    },
  );
});

describe('a write', () => {
  test.each(['post', 'put', 'patch', 'delete'])('by %s purges groups', async (method) => {
    const { read, purge } = site();
    await read('/a');
    await purge('"a"', { method });
    expect(await read('/a')).toBe('page 3');
  });

  test.each(['201', '204', '303'])('with status %s purges groups', async (status) => {
    const { read, purge } = site();
    await read('/a');
    await purge('"a"', { status });
    expect(await read('/a')).toBe('page 3');
  });

  test.each(['400', '403', '404', '500'])('with status %s purges none', async (status) => {
    const { read, purge } = site();
    await read('/a');
    await purge('"a"', { status });
    expect(await read('/a')).toBe('page 1');
  });

  test.each(['a', '"b", a', '"a",', '"a', '"b"; a', '"A"', '"a "', '""', '("a")'])(
    'that names %j does not purge the group "a"',
    async (groups) => {
      const { read, purge } = site();
      await read('/a');
      await purge(groups);
      expect(await read('/a')).toBe('page 1');
    },
  );

  test('with a field that is not valid purges its URL all the same', async () => {
    const { app, read } = site();
    await read('/a');
    await visit(app, '/a', 'post').set('X-Purged', 'a b');
    await settled();
    expect(await read('/a')).toBe('page 3');
  });

  test('may name a group with parameters, and any number of groups', async () => {
    const { read, purge } = site();
    await read('/a');
    await purge(`${Array.from({ length: 300 }, (_, i) => `"${i}"`).join()}, "a";hard;by=1`);
    expect(await read('/a')).toBe('page 3');
  });

  test('purges groups of its own origin alone', async () => {
    const { read, purge } = site();
    const hosts = ['www.example.com', 'example.com', 'www.example.com:8080'];
    for (const [i, host] of hosts.entries()) expect(await read('/a', host)).toBe(`page ${i + 1}`);
    await purge('"a"');
    expect(await read('/a', hosts[1])).toBe('page 2');
    expect(await read('/a', hosts[2])).toBe('page 3');
    expect(await read('/a')).toBe('page 5');
    // Spelt otherwise it is the same.
    await purge('"a"', { host: 'WWW.EXAMPLE.COM:80' });
    expect(await read('/a')).toBe('page 7');
  });

  test('purges no tag of the site, nor does a purge of tags take groups', async () => {
    const { app } = pageApp((res, call, req) => {
      if (req.method === 'POST') return write(res, req);
      res.setHeader(req.url === '/tag' ? 'Surrogate-Key' : 'Cache-Groups', '"a"');
      res.end(`page ${call}`);
    });
    const { read, purge } = asked(app);
    expect([await read('/tag'), await read('/group')]).toEqual(['page 1', 'page 2']);
    await caches.default.invalidateTags(['a', 'http://www.example.com a']);
    await purge('"\\"a\\""');
    expect([await read('/tag'), await read('/group')]).toEqual(['page 1', 'page 2']);
    await caches.default.invalidateTags(['"a"']);
    expect([await read('/tag'), await read('/group')]).toEqual(['page 4', 'page 2']);
    await purge('"a"');
    expect([await read('/tag'), await read('/group')]).toEqual(['page 4', 'page 6']);
  });

  test('reaches every page cache of the process', async () => {
    configureCaches({ default: {}, other: { backend: ByteCache, location: 'groups-other' } });
    await caches.other!.clear();
    const [one, other] = [site(), site({ cache: 'other', keyPrefix: 'other' })];
    expect([await one.read('/a'), await other.read('/a')]).toEqual(['page 1', 'page 1']);
    await one.purge('"a"');
    expect([await one.read('/a'), await other.read('/a')]).toEqual(['page 3', 'page 2']);
  });

  test('whose purge fails is told of, and harms nobody', async () => {
    const failing = new ByteCache('groups-failing');
    const failures: unknown[] = [];
    const onError = (error: unknown, { key }: { key?: string }) => failures.push([error, key]);
    const { app } = site({ cache: failing, onError });
    const setMany = jest.spyOn(failing, 'setMany');
    setMany.mockImplementation(async (entries) => {
      if (!Object.keys(entries).some((key) => key.includes('.tag.g.'))) return [];
      throw new Error('connection refused');
    });
    try {
      await visit(app, '/writes', 'post').set('X-Purged', '"a"').expect(200);
      while (failures.length === 0) await settled();
      expect(failures).toEqual([
        [expect.objectContaining({ message: 'connection refused' }), expect.any(String)],
      ]);
    } finally {
      setMany.mockRestore();
    }
  });
});

describe.each<[string, PageCacheOptions['cache']]>([
  ['local memory', 'default'],
  ['a backend that answers later', new ByteCache('groups-race')],
])('a page on %s', (_where, cache) => {
  test('that was being made as its group was purged is not stored', async () => {
    let data = 'v1';
    let finish = (): void => {};
    let reads = 0;
    const { app } = pageApp(
      async (res, _call, req) => {
        if (req.method === 'POST') return write(res, req);
        const read = data;
        reads += 1;
        if (reads === 2) await new Promise<void>((resolve) => (finish = resolve));
        res.setHeader('Cache-Groups', '"news"');
        res.end(read);
      },
      { options: { cache } },
    );
    const { read, purge } = asked(app);
    // Another page, so that all counters are there.
    expect(await read('/b')).toBe('v1');
    const slow = read('/a');
    while (reads < 2) await settled();
    data = 'v2';
    await purge('"news"');
    finish();
    expect(await slow).toBe('v1');
    for (const _visit of [1, 2]) expect(await read('/a')).toBe('v2');
    expect(await read('/b')).toBe('v2');
    expect(reads).toBe(4);
  });
});

describe('a safe method purges no groups', () => {
  test.each(['get', 'head', 'options'])('%s', async (method) => {
    const { app } = pageApp((res, call) => {
      res.setHeader('Cache-Groups', '"a"');
      res.setHeader('Cache-Group-Invalidation', '"a"');
      res.end(`page ${call}`);
    });
    const { read } = asked(app);
    expect(await read('/a')).toBe('page 1');
    await visit(app, '/other', method as 'get').expect('Cache-Group-Invalidation', '"a"');
    await settled();
    expect(await read('/a')).toBe('page 1');
  });
});

describe('Cache-Groups', () => {
  /** A page with these groups, and how to purge one of them. */
  function page(groups: Field, options: PageCacheOptions = {}) {
    const { app } = pageApp(
      (res, call, req) => {
        if (req.method === 'POST') return write(res, req);
        res.setHeader('Cache-Groups', groups);
        res.end(`page ${call}`);
      },
      { options },
    );
    return asked(app);
  }

  test('that is not valid puts the page in no group, and it is stored', async () => {
    const { read, purge } = page('"a", b');
    expect(await read('/page')).toBe('page 1');
    await purge('"a"');
    expect(await read('/page')).toBe('page 1');
  });

  test('of several lines, with parameters, is one list', async () => {
    const { read, purge } = page(['"a"', '"b";c']);
    expect(await read('/page')).toBe('page 1');
    await purge('"b"');
    expect(await read('/page')).toBe('page 3');
  });

  const many = (count: number) => Array.from({ length: count }, (_, i) => `"${i}"`).join(', ');

  test('may name 128 groups of any length, each of which purges the page', async () => {
    const long = 'x'.repeat(1000);
    const { read, purge } = page(`${many(127)}, "${long}", "0"`);
    expect([await read('/page'), await read('/page')]).toEqual(['page 1', 'page 1']);
    await purge(`"${long}"`);
    expect([await read('/page'), await read('/page')]).toEqual(['page 3', 'page 3']);
    await purge('"126"');
    expect(await read('/page')).toBe('page 5');
  });

  test('that names more is sent, and the page not stored', async () => {
    const { app, read } = page(many(129), { cacheStatus: true });
    expect([await read('/page'), await read('/page')]).toEqual(['page 1', 'page 2']);
    await visit(app, '/page')
      .expect('Cache-Groups', many(129))
      .expect('Cache-Status', 'cachewright; fwd=uri-miss; detail=groups');
  });

  test('of a page that a 304 confirms are those of both', async () => {
    let groups = '"old"';
    const { app } = pageApp(
      (res, call, req) => {
        if (req.method === 'POST') return write(res, req);
        res.setHeader('Cache-Groups', groups);
        res.setHeader('ETag', '"1"');
        res.statusCode = req.headers['if-none-match'] === undefined ? 200 : 304;
        res.end(res.statusCode === 304 ? undefined : `page ${call}`);
      },
      { options: { seconds: 60 } },
    );
    const { read, purge } = asked(app);
    for (const [i, purged] of ['"new"', '"old"'].entries()) {
      groups = '"old"';
      const made = `page ${1 + 4 * i}`;
      expect(await read(`/${i}`)).toBe(made);
      clock.advance(61);
      groups = '"new"';
      expect(await read(`/${i}`)).toBe(made);
      const { headers } = await visit(app, `/${i}`).expect(made);
      expect(headers['cache-groups']).toBe('"new"');
      await purge(purged);
      expect(await read(`/${i}`)).toBe(`page ${4 + 4 * i}`);
    }
  });

  test('that a HEAD tells to have changed make a GET of old a miss', async () => {
    let groups = '"old"';
    const { app } = pageApp(
      (res, call) => {
        res.setHeader('Cache-Groups', groups);
        res.setHeader('ETag', '"1"');
        res.end(`page ${call}`);
      },
      { options: { seconds: 60 } },
    );
    const { read } = asked(app);
    expect(await read('/a')).toBe('page 1');
    clock.advance(61);
    groups = '"new"';
    await visit(app, '/a', 'head').expect(200);
    await settled();
    expect(await read('/a')).toBe('page 3');
  });
});
