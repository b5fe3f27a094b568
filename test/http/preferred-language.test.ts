import fc from 'fast-check';
import { preferredLanguage } from '../../src/http/preferred-language';

const SITE = ['en', 'de', 'pt-BR', 'en-GB'];

test.each<[value: string, languages: readonly string[], preferred: string | undefined]>([
  // As it is named, whatever the case and the space.
  ['de', SITE, 'de'],
  ['DE', SITE, 'de'],
  [' de ; q=0.5 ,\ten;q=0.4', SITE, 'de'],
  ['pt-br', SITE, 'pt-BR'],
  // The weight decides, not the order.
  ['en;q=0.8, de', SITE, 'de'],
  ['de, en;q=0.8', SITE, 'de'],
  ['de;q=0.79, en;q=0.8', SITE, 'en'],
  ['de;q=0.001, en;q=0', SITE, 'de'],
  // A range is cut short until a language has it (RFC 4647 §3.4).
  ['de-CH-1996', SITE, 'de'],
  ['en-US, de;q=0.9', SITE, 'en'],
  ['en-US,en;q=0.5,de;q=0.9', ['en', 'de'], 'en'],
  ['en-GB', SITE, 'en-GB'],
  ['en-GB', ['en', 'de'], 'en'],
  ['zh-Hant-TW', ['zh-Hans', 'zh-Hant', 'zh'], 'zh-Hant'],
  ['eng', SITE, undefined],
  // A range covers the languages that narrow it (RFC 4647 §3.3.1).
  ['pt', SITE, 'pt-BR'],
  ['pt-PT', SITE, undefined],
  ['en', ['en-GB', 'en'], 'en'],
  ['en;q=0.9, en-GB;q=0.1', ['en-GB', 'de'], 'en-GB'],
  ['en, en-GB;q=0, de;q=0.1', ['en-GB', 'de'], 'de'],
  // Refused.
  ['de;q=0', SITE, undefined],
  ['de;q=0.000', SITE, undefined],
  ['en;q=0, *', SITE, 'de'],
  ['en;q=0, *', ['en', 'en-GB'], undefined],
  ['en-GB;q=0, en;q=0.1', ['en-GB', 'en'], 'en'],
  ['en-GB;q=0', ['en'], undefined],
  ['en-GB;q=0, *;q=0.2', ['en'], 'en'],
  ['en;q=0, en-GB', ['en'], undefined],
  ['de, de;q=0', SITE, undefined],
  ['de;q=0, de', SITE, undefined],
  // What `*` stands for: all that is not named.
  ['*', SITE, 'en'],
  ['en;q=0.3, *;q=0.5', SITE, 'de'],
  ['de;q=0.5, *;q=0.5', SITE, 'de'],
  ['*;q=0', SITE, undefined],
  ['*;q=0, de;q=0.1', SITE, 'de'],
  ['*, *;q=0', SITE, undefined],
  // Liked alike: the first of the site's.
  ['de, en', SITE, 'en'],
  ['en, de', SITE, 'en'],
  ['en, de', ['de', 'en'], 'de'],
  // None, or nothing well-formed.
  ['fr', SITE, undefined],
  ['', SITE, undefined],
  ['de', [], undefined],
  [',,;q=1,', SITE, undefined],
  ['de;q=2', SITE, undefined],
  ['de;q=-1', SITE, undefined],
  ['de;q=high', SITE, undefined],
  ['de;level=1', SITE, undefined],
  ['de;q=1;q=0', SITE, undefined],
  ['de;q=2, en;q=0.1', SITE, 'en'],
])('of %j and %j it is %j', (value, languages, preferred) => {
  expect(preferredLanguage(value, languages)).toBe(preferred);
});

const tag = fc.constantFrom('en', 'en-GB', 'en-US', 'de', 'de-CH', 'pt', 'pt-BR', '*', 'x', '');
const weight = fc.constantFrom('', ';q=0', ';q=0.1', ';q=0.5', ';q=1.0', ';q=2', ';x');
const members = fc.array(fc.tuple(tag, weight), { maxLength: 6 });
const list = fc.uniqueArray(fc.constantFrom(...SITE), { maxLength: 4 });
const space = fc.constantFrom('', ' ', '\t', '  ');

test('order, space and case of the header have no meaning (RFC 9110 §12.5.4)', () => {
  fc.assert(
    fc.property(members, list, fc.infiniteStream(space), fc.nat(), (parts, languages, gaps, n) => {
      const gap = () => gaps.next().value as string;
      const turned = [...parts.slice(n % 7), ...parts.slice(0, n % 7)].reverse();
      const shown = turned.map(
        ([name, q]) => `${gap()}${name.toUpperCase()}${gap()}${q.replace(';', `;${gap()}`)}`,
      );
      const value = parts.map(([name, q]) => name + q).join();
      const preferred = preferredLanguage(value, languages);
      expect(preferredLanguage(shown.join(`${gap()},`), languages)).toBe(preferred);
      // What counts, asked for by itself, is the same.
      if (preferred !== undefined) expect(preferredLanguage(preferred, languages)).toBe(preferred);
    }),
    { numRuns: 2000 },
  );
});

test('never is a language preferred that the request refuses by name', () => {
  fc.assert(
    fc.property(members, list, (parts, languages) => {
      const value = parts.map(([name, q]) => name + q).join();
      const preferred = preferredLanguage(value, languages);
      const refused = parts.filter(([, q]) => q === ';q=0').map(([name]) => name);
      if (preferred !== undefined) expect(refused).not.toContain(preferred);
    }),
    { numRuns: 2000 },
  );
});
