import { createServer } from 'node:http';
import { caches } from 'cachewright';
import request, { type Response } from 'supertest';
import { createAtlas } from '../../../examples/atlas/app';
import {
  type BorderStatistics,
  computeBorderStatistics,
} from '../../../examples/atlas/border-statistics';
import type { BorderGraph } from '../../../examples/atlas/borders';
import { stopClock } from '../../support/clock';
import { settled } from '../../support/settled';

// The real statistics, but computed once for all tests; what counts is how often they are asked for.
jest.mock('../../../examples/atlas/border-statistics', () => {
  const actual = jest.requireActual<typeof import('../../../examples/atlas/border-statistics')>(
    '../../../examples/atlas/border-statistics',
  );
  let computed: BorderStatistics | undefined;
  return {
    computeBorderStatistics: jest.fn((graph: BorderGraph) => {
      computed ??= actual.computeBorderStatistics(graph);
      return computed;
    }),
  };
});

// One server for all, as the address is part of every page's key.
const app = createServer(createAtlas()).listen(0);

afterAll(() => app.close());

const clock = stopClock();

const DAY = 24 * 60 * 60;

beforeEach(async () => {
  const aliases = ['pages', 'statistics', 'template_fragments'];
  await Promise.all(aliases.map((alias) => caches[alias]!.clear()));
});

async function visit(path: string, language = 'en'): Promise<Response> {
  const response = await request(app).get(path).set('Accept-Language', language);
  await settled();
  return response;
}

describe('every page', () => {
  test.each([
    '/',
    '/?lang=ar',
    '/regions/europe',
    '/countries/prt',
    '/search?q=guinea',
    '/api/countries',
    '/api/countries/prt',
    '/api/routes/prt/chn',
    '/borders',
  ])('%s is a hit on the second visit', async (path) => {
    const miss = await visit(path);
    const hit = await visit(path);
    expect(miss.status).toBe(200);
    expect(miss.get('Age')).toBeUndefined();
    expect(hit.get('Age')).toMatch(/^\d+$/);
    expect(hit.text).toBe(miss.text);
    expect(hit.get('Content-Type')).toBe(miss.get('Content-Type'));
  });

  test.each([
    ['/countries/prt', 600],
    ['/api/countries/prt', 3600],
  ])('%s is kept for %i seconds', async (path, seconds) => {
    await visit(path);
    clock.advance(seconds - 1);
    expect((await visit(path)).get('Age')).toBe(String(seconds - 1));
    clock.advance(1);
    expect((await visit(path)).get('Age')).toBeUndefined();
  });

  test('says in Server-Timing how this visitor got it, which is not stored with it', async () => {
    const miss = await visit('/countries/prt');
    clock.advance(7);
    const hit = await visit('/countries/prt');
    const again = await visit('/countries/prt');
    expect(miss.get('Server-Timing')).toMatch(/^cache;desc=miss, total;dur=[\d.]+$/);
    for (const { headers } of [hit, again]) {
      expect(headers['server-timing']).toMatch(/^cache;desc=hit, age;dur=7000, total;dur=[\d.]+$/);
    }
  });

  test('says in its footer when it was rendered, for those without a script', async () => {
    const { text } = await visit('/countries/prt');
    expect(text).toMatch(
      /Rendered at <time datetime="[\d-]+T[\d:.]+Z">[\d:]+ UTC<\/time> in [\d.]+ ms\./,
    );
  });

  test('says which of its parts were there already, made for another page', async () => {
    const part = async (path: string, language?: string) =>
      /data-outcome="\w+">(region: \w+)</.exec((await visit(path, language)).text)?.[1];
    const sidebar = async (path: string, language?: string) =>
      /<aside.*?<\/aside>/s.exec((await visit(path, language)).text)![0];
    expect(await part('/countries/prt')).toBe('region: miss');
    expect(await part('/countries/prt')).toBe('region: miss');
    expect(await part('/countries/deu')).toBe('region: hit');
    expect(await sidebar('/countries/deu')).toBe(await sidebar('/countries/prt'));
    // Of another region, in another language, with links in the language that was chosen.
    expect(await part('/countries/chn')).toBe('region: miss');
    expect(await part('/countries/fra', 'fr')).toBe('region: miss');
    expect(await sidebar('/countries/fra', 'fr')).toContain('Allemagne');
    expect(await part('/countries/ita?lang=fr')).toBe('region: miss');
    expect(await sidebar('/countries/ita?lang=fr')).toContain('/countries/deu?lang=fr');
    expect(await part('/')).toBeUndefined();
  });

  test('allows nothing but what the site itself sends', async () => {
    const { headers, text } = await visit('/countries/prt');
    expect(headers['content-security-policy']).toBe("default-src 'self'; frame-ancestors 'none'");
    expect(text).not.toMatch(
      /<style|style="|<script>|(src|href)="(?!\/|#|https:\/\/(mledoze|opendata))/,
    );
  });

  test.each(['/nowhere', '/countries/xyz', '/regions/atlantis', '/flags/xyz.svg'])(
    '%s does not exist, and is not stored',
    async (path) => {
      for (const { status, headers } of [await visit(path), await visit(path)]) {
        expect(status).toBe(404);
        expect(headers.age).toBeUndefined();
      }
    },
  );
});

describe('languages', () => {
  test.each([
    ['en', 'Germany', 'ltr'],
    ['de-AT, fr;q=0.5', 'Deutschland', 'ltr'],
    ['fr', 'Allemagne', 'ltr'],
    ['es', 'Alemania', 'ltr'],
    ['ar', 'ألمانيا', 'rtl'],
    ['ja', 'ドイツ', 'ltr'],
    ['tlh', 'Germany', 'ltr'],
  ])('Accept-Language: %s is answered with %s', async (language, name, direction) => {
    const { text, headers } = await visit('/countries/deu', language);
    expect(text).toContain(`<h1>${name}</h1>`);
    expect(text).toContain(`dir="${direction}">`);
    expect(headers.vary).toBe('Accept-Language');
  });

  test.each(['/countries/deu', '/borders'])('of %s are kept apart', async (path) => {
    const [english, german] = [await visit(path, 'en'), await visit(path, 'de')];
    expect(german.get('Age')).toBeUndefined();
    expect(german.text).toContain('<html lang="de"');
    const [englishAgain, germanAgain] = [await visit(path, 'en'), await visit(path, 'de')];
    expect(englishAgain.get('Age')).toMatch(/^\d+$/);
    expect(englishAgain.text).toBe(english.text);
    expect(germanAgain.text).toBe(german.text);
  });

  test('asked for in different words share one page', async () => {
    await visit('/countries/deu', 'fr-CH, fr;q=0.9, en;q=0.8');
    expect((await visit('/countries/deu', 'fr')).get('Age')).toMatch(/^\d+$/);
  });

  test('chosen by ?lang= win over Accept-Language, and links keep them', async () => {
    const { text } = await visit('/countries/deu?lang=ja', 'de');
    expect(text).toContain('<h1>ドイツ</h1>');
    expect(text).toContain('href="/countries/fra?lang=ja"');
    expect(text).toContain('<input type="hidden" name="lang" value="ja">');
  });

  test('can be switched without losing the query', async () => {
    const { text } = await visit('/search?q=peru&lang=fr');
    expect(text).toContain('href="/search?q=peru&amp;lang=de"');
  });
});

describe('a country', () => {
  test('shows its facts, its neighbours, and the way to the farthest country', async () => {
    const { text } = await visit('/countries/prt');
    expect(text).toContain('Portuguese Republic');
    expect(text).toContain('Lisbon');
    expect(text).toContain('92,090');
    expect(text).toContain('href="/countries/esp"');
    expect(text).toMatch(/<ol class="route"><li><a[^>]*prt.*<\/a><\/li><\/ol>/);
    expect(text).toMatch(/<a href="\/countries\/prt" tabindex="-1" class="land tint-\d subject">/);
  });

  test('has a page without a map if the data has no outline', async () => {
    const { status, text } = await visit('/countries/unk');
    expect(status).toBe(200);
    expect(text).toContain('<h1>Kosovo</h1>');
    expect(text).not.toContain('class="map"');
  });

  test('has a flag that browsers may keep, but not the page cache', async () => {
    const first = await visit('/flags/prt.svg');
    const second = await visit('/flags/prt.svg');
    expect(first.get('Content-Type')).toMatch('image/svg+xml');
    expect(second.get('Cache-Control')).toBe('public, max-age=86400');
    expect(second.get('Age')).toBeUndefined();
  });

  test('is found in any case of its code, and the flag only by a code', async () => {
    expect((await visit('/countries/PRT')).status).toBe(200);
    expect((await visit('/flags/..%2f..%2fpackage.svg')).status).toBe(404);
  });
});

describe('search', () => {
  test('finds a country by any of its names, and tells which', async () => {
    const { text } = await visit('/search?q=Deutschl');
    expect(text).toContain('<span>Germany</span><small><bdi>Deutschland</bdi></small>');
  });

  test('shows what was searched for as text, whatever it is', async () => {
    const attack = `"><script>alert('x')</script>&`;
    const { text } = await visit(`/search?q=${encodeURIComponent(attack)}`);
    const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;';
    expect(text).not.toContain(`<script>alert`);
    expect(text).toContain(`<title>${escaped} · Atlas</title>`);
    expect(text).toContain(`value="${escaped}"`);
    expect(text).toContain(`“${escaped}”`);
  });

  test('keeps one query apart from another', async () => {
    await visit('/search?q=peru');
    const { text, headers } = await visit('/search?q=chad');
    expect(headers.age).toBeUndefined();
    expect(text).toContain('href="/countries/tcd"');
  });

  test.each(['/search', '/search?q=', '/search?q=%20', '/search?q=zzzz', '/search?q[]=peru'])(
    '%s finds nothing, and says what to do',
    async (path) => {
      const { status, text } = await visit(path);
      expect(status).toBe(200);
      expect(text).not.toContain('class="columns');
      expect(text).toContain('<p class="lede">');
    },
  );
});

describe('the page of all borders', () => {
  const compute = jest.mocked(computeBorderStatistics);

  beforeEach(() => compute.mockClear());

  test('is computed once a day', async () => {
    await visit('/borders');
    clock.advance(DAY - 1);
    expect((await visit('/borders')).get('Age')).toBe(String(DAY - 1));
    expect(compute).toHaveBeenCalledTimes(1);
    clock.advance(1);
    expect((await visit('/borders')).get('Age')).toBeUndefined();
    expect(compute).toHaveBeenCalledTimes(2);
  });

  test('outlives the pages of the site, in a cache of its own', async () => {
    const first = await visit('/borders');
    await caches.pages!.clear();
    clock.advance(60);
    const second = await visit('/borders');
    expect(second.get('Age')).toBe('60');
    expect(second.get('Cache-Control')).toBe('max-age=86400');
    expect(second.text).toBe(first.text);
    expect(compute).toHaveBeenCalledTimes(1);
  });

  test('has the numbers that were computed', async () => {
    const { text } = await visit('/borders');
    expect(text).toContain('<dt>Borders</dt><dd>324</dd>');
    expect(text).toContain('<dt>Longest way</dt><dd>18</dd>');
    expect(text).toMatch(/Egypt<\/span><\/a>\s*<svg class="bar".*?<b>28.4%<\/b>/);
    expect(text.match(/<tr><th scope="row">/g)).toHaveLength(164);
  });
});

describe('the passport', () => {
  test('is never cached, and each visitor sees their own', async () => {
    const ofOne = () => request(app).get('/passport').set('Cookie', 'stamps=PRT.JPN');
    for (const { headers, text } of [await ofOne(), await ofOne()]) {
      expect(headers.age).toBeUndefined();
      expect(headers['cache-control']).toContain('no-store');
      expect(text).toContain('action="/passport/prt/remove"');
      expect(text).toContain('action="/passport/jpn/remove"');
    }
    const { text } = await visit('/passport');
    expect(text).not.toContain('/remove"');
    expect(text).toContain('No stamps yet.');
  });

  test('gets stamps, and loses them again', async () => {
    const visitor = request.agent(app);
    await visitor.post('/passport/prt?lang=de').expect(303).expect('Location', '/passport?lang=de');
    await visitor.post('/passport/bra').expect(303).expect('Location', '/passport');
    expect((await visitor.get('/passport')).text).toContain('/passport/prt/remove');
    const answer = await visitor.post('/passport/prt/remove').expect(303);
    expect(answer.get('Set-Cookie')).toEqual([
      expect.stringMatching(/^stamps=BRA; Max-Age=31536000; Path=\/; .*HttpOnly; SameSite=Lax$/),
    ]);
    expect((await visitor.get('/passport')).text).not.toContain('/passport/prt/remove');
  });

  test('ignores stamps of no country, and refuses to set them', async () => {
    const { text } = await request(app).get('/passport').set('Cookie', 'stamps=XXX.<b>.PRT.PRT');
    expect(text.match(/\/remove"/g)).toHaveLength(1);
    await request(app).post('/passport/xxx').expect(404);
    await request(app).post('/passport/prt/burn').expect(404);
  });

  test('is not stamped by forms on other sites', async () => {
    const answer = await request(app).post('/passport/prt').set('Sec-Fetch-Site', 'cross-site');
    expect(answer.status).toBe(403);
    expect(answer.get('Set-Cookie')).toBeUndefined();
  });
});

describe('the API', () => {
  test('lists all countries, in the language asked for', async () => {
    const { body, headers } = await visit('/api/countries?lang=de');
    expect(body).toHaveLength(250);
    expect(body).toContainEqual({
      code: 'DEU',
      name: 'Deutschland',
      region: 'Europe',
      area: 357114,
      flag: '🇩🇪',
    });
    expect(headers['cache-control']).toBe('public, max-age=3600');
  });

  test('knows one country', async () => {
    const { body } = await visit('/api/countries/prt');
    expect(body).toMatchObject({ code: 'PRT', capital: ['Lisbon'], neighbours: ['ESP'] });
  });

  test('finds the way from Portugal to China: six borders', async () => {
    const { body } = await visit('/api/routes/prt/chn');
    expect(body).toEqual({
      from: 'PRT',
      to: 'CHN',
      borders: 6,
      route: ['PRT', 'ESP', 'FRA', 'DEU', 'POL', 'RUS', 'CHN'],
    });
  });

  test('says that no way over land leads to Japan', async () => {
    const { status, body } = await visit('/api/routes/prt/jpn');
    expect(status).toBe(200);
    expect(body).toEqual({ from: 'PRT', to: 'JPN', borders: null, route: null });
  });

  test('searches', async () => {
    const { body } = await visit('/api/search?q=costa%20de%20marfil');
    expect(body[0]).toMatchObject({ code: 'CIV', name: 'Ivory Coast', foundBy: 'Costa de Marfil' });
  });

  test.each(['/api/countries/xyz', '/api/routes/prt/xyz', '/api/routes/xyz/prt'])(
    '%s names the unknown code',
    async (path) => {
      const { status, body } = await visit(path);
      expect(status).toBe(404);
      expect(body).toEqual({ error: 'There is no country with the code "xyz".' });
    },
  );
});
