// Pages in the language of the visitor.
import { putIn } from './packages';
import {
  expectShared,
  type Handler,
  INSIDE,
  type Loose,
  type Middleware,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from './support';

const cookieParser: Loose = require('cookie-parser');
const i18next: Loose = require('i18next');
const { handle, LanguageDetector }: Loose = require('i18next-http-middleware');
const { I18n }: Loose = require('i18n');

useRealApps();

let words: Middleware;

beforeAll(async () => {
  const own = i18next.createInstance();
  await own.use(LanguageDetector).init({
    fallbackLng: 'en',
    supportedLngs: ['en', 'de'],
    preload: ['en', 'de'],
    detection: { order: ['querystring', 'cookie', 'header'], caches: false },
    resources: { en: { translation: { hi: 'Hello' } }, de: { translation: { hi: 'Hallo' } } },
  });
  words = handle(own);
});

const mashpie = (): Middleware =>
  new I18n({
    locales: ['en', 'de'],
    defaultLocale: 'en',
    cookie: 'i18next',
    queryParameter: 'lng',
    staticCatalog: { en: { hi: 'Hello' }, de: { hi: 'Hallo' } },
  }).init;

const APPS: Record<string, [middleware: () => Middleware[], show: Handler]> = {
  'i18next, req.t()': [() => [words], (req) => req.t('hi')],
  'i18next, t taken off the request': [
    () => [words],
    (req) => {
      const { t } = req;
      return t('hi');
    },
  ],
  'i18next, res.locals.t()': [() => [words], (_req, res) => res.locals.t('hi')],
  'i18next, req.language': [
    () => [words],
    (req) => (String(req.language).startsWith('de') ? 'Hallo' : 'Hello'),
  ],
  'i18n, req.__()': [() => [cookieParser(), mashpie()], (req) => req.__('hi')],
  'i18n, res.__()': [() => [cookieParser(), mashpie()], (_req, res) => res.__('hi')],
  'i18n, res.locals.__()': [() => [cookieParser(), mashpie()], (_req, res) => res.locals.__('hi')],
  'i18n, req.getLocale()': [
    () => [cookieParser(), mashpie()],
    (req) => (req.getLocale() === 'de' ? 'Hallo' : 'Hello'),
  ],
  'req.locale of its own': [
    () => [
      cookieParser(),
      putIn((req) => {
        req.locale = req.cookies.i18next ?? (req.acceptsLanguages('en', 'de') || 'en');
      }),
    ],
    (req) => (req.locale === 'de' ? 'Hallo' : 'Hello'),
  ],
};

for (const [name, [middleware, show]] of Object.entries(APPS)) {
  row(`A4 ${name}: own language, shared by language`, { held: ['app'] }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: middleware(),
      routes: { 'GET /': show, 'GET /other': show, 'GET /same': () => '42' },
    });
    const speaking = (language: string, cookies: Record<string, string> = {}) =>
      new Visitor(site, { headers: { 'Accept-Language': language }, cookies });
    const germans = [
      speaking('de'),
      speaking('de-AT,de;q=0.9,en;q=0.5'),
      speaking('en', { i18next: 'de' }),
      speaking('de', { _ga: '1' }),
    ];
    const english = [speaking('en'), speaking('en-GB,en;q=0.9'), new Visitor(site)];
    for (const path of ['/', '/other']) {
      const [first, second] = path === '/' ? [germans, english] : [english, germans];
      for (const who of [...first, ...second, ...first]) {
        expect(await who.text(path)).toBe(germans.includes(who) ? 'Hallo' : 'Hello');
      }
    }
    // Whoever chooses a language later sees it.
    const chooser = speaking('en');
    expect(await chooser.text('/')).toBe('Hello');
    chooser.jar.set('i18next', 'de');
    expect(await chooser.text('/')).toBe('Hallo');
    if (!INSIDE.includes(place.mount)) return;
    useful(() => expect(site.renders).toMatchObject({ '/': 2, '/other': 2 }));
    await expectShared(site, [...germans, ...english]);
  });
}
