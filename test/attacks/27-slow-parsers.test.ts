import { createContext, Script } from 'node:vm';
import { acceptableEncodings } from '../../src/http/acceptable-encodings';
import { directiveSeconds, parseCacheControl } from '../../src/http/cache-control';
import { parseEtags } from '../../src/http/entity-tags';
import { firstSeconds, initialAge } from '../../src/http/freshness';
import { parseHttpDate } from '../../src/http/http-date';
import { normalizeHeader } from '../../src/http/normalize';
import { preferredLanguage } from '../../src/http/preferred-language';
import { parseRanges } from '../../src/http/ranges';
import { requestDirectives } from '../../src/http/request-directives';
import { responsePolicy } from '../../src/http/response-policy';
import { withheldFields } from '../../src/http/storability';
import { parseTargetedCacheControl } from '../../src/http/targeted-cache-control';
import { parseVary } from '../../src/http/vary';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

const SIZE = 256 * 1024;

/** Inputs on which careless parsers take quadratic time, or worse. */
const INPUTS: Record<string, string> = {
  spaces: ' '.repeat(SIZE),
  tabs: '\t'.repeat(SIZE),
  commas: ','.repeat(SIZE),
  'commas and spaces': ', '.repeat(SIZE / 2),
  'equals signs': '='.repeat(SIZE),
  quotes: '"'.repeat(SIZE),
  'unbalanced quotes': `a="${'b,"'.repeat(SIZE / 3)}`,
  backslashes: `a="${'\\'.repeat(SIZE)}`,
  'many directives': Array.from({ length: 50_000 }, (_, i) => `d${i}=${i}`).join(),
  'one directive many times': 'max-age=1,'.repeat(SIZE / 10),
  digits: `max-age=${'9'.repeat(SIZE)}`,
  'a name with spaces in it': `max${' '.repeat(SIZE)}age=1`,
  'a date with spaces in it': `Mon, 01 Jan ${' '.repeat(SIZE)} 2024 00:00:00 GMT`,
  ranges: `bytes=${'0-0,'.repeat(SIZE / 4)}`,
  'a list of tags': '"a", '.repeat(SIZE / 5),
  'names of fields': `private="${'x, '.repeat(SIZE / 3)}"`,
  'weights in languages': 'en-gb;q=0.5,'.repeat(SIZE / 12),
  'a weight of many digits': `en;q=0.${'9'.repeat(SIZE)}`,
  'a language of many parts': `en${'-gb'.repeat(SIZE / 3)}`,
  parentheses: '('.repeat(SIZE),
  'parameters of members': `a${';b'.repeat(SIZE / 2)}`,
};

const PARSERS: Record<string, (text: string) => unknown> = {
  parseCacheControl,
  parseVary,
  parseEtags,
  parseHttpDate,
  parseTargetedCacheControl,
  requestDirectives: (text) => requestDirectives(text, text),
  parseRanges: (text) => parseRanges(text, 1000),
  normalizeHeader: (text) => normalizeHeader('accept-language', text, true),
  preferredLanguage: (text) => preferredLanguage(text, ['en', 'pt-BR']),
  acceptableEncodings: (text) => acceptableEncodings(text, ['br', 'gzip']),
  withheldFields: (text) => withheldFields(responsePolicy(() => text)),
  initialAge: (text) => initialAge(() => text, 0, 0),
};

/** Runs what would keep Jest itself from noticing that a test takes too long. */
const INTERRUPTIBLE = new Script('run()');
const sandbox = createContext({ run: () => {} });
const DEADLINE_MS = 5000;

// Quadratic time would be tens of thousands of millions of steps each, far beyond the deadline.
describe.each(Object.entries(PARSERS))('%s', (_name, parse) => {
  test.each(Object.entries(INPUTS))('reads 256 KB of %s in linear time', (_what, text) => {
    sandbox.run = () => parse(text);
    const timeout = DEADLINE_MS;
    expect(() => INTERRUPTIBLE.runInContext(sandbox, { timeout })).not.toThrow();
  });
});

test.each([
  ['99999999999999999999', 2 ** 31 - 1],
  ['9'.repeat(1000), 2 ** 31 - 1],
  ['2147483648', 2 ** 31 - 1],
  ['-1', undefined],
  ['1e9', undefined],
  ['0x10', undefined],
  ['٣', undefined],
])('max-age=%s saturates, or is none (RFC 9111 §1.2.2)', (value, seconds) => {
  const directives = parseCacheControl(`max-age=${value}`);
  expect(directiveSeconds(directives, 'max-age')).toBe(seconds);
  expect(firstSeconds(directives, 'max-age')).toBe(seconds);
});

test('a page with a huge lifetime, and with hostile headers of 60 KB, is served', async () => {
  const { app, origin } = pageApp((res, call) => {
    res.setHeader('Cache-Control', `max-age=${'9'.repeat(500)}, ${'x,'.repeat(2000)}`);
    res.end(`page ${call}`);
  });
  for (const _visit of [1, 2]) await visit(app, '/page').expect(200, 'page 1');
  expect(origin.calls).toBe(1);
});
