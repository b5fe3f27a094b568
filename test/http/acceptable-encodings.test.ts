import fc from 'fast-check';
import { acceptableEncodings } from '../../src/http/acceptable-encodings';

const SITE = ['br', 'gzip'];

test.each<[value: string | undefined, encodings: readonly string[], counting: string]>([
  ['gzip, deflate, br, zstd', SITE, 'br, gzip'],
  ['gzip;q=1.0, br;q=0.1', SITE, 'br, gzip'],
  ['GZIP', SITE, 'gzip'],
  ['br, gzip', ['gzip', 'br'], 'gzip, br'],
  ['gzip', ['GZip'], 'GZip'],
  // Refused.
  ['gzip;q=0', SITE, 'identity'],
  ['gzip;q=0, br', SITE, 'br'],
  ['gzip, gzip;q=0', SITE, 'identity'],
  ['gzip;q=0, gzip', SITE, 'identity'],
  // What `*` stands for: all that is not named.
  ['*', SITE, 'br, gzip'],
  ['*, br;q=0', SITE, 'gzip'],
  ['*;q=0, gzip', SITE, 'gzip, identity;q=0'],
  // None.
  [undefined, SITE, 'identity'],
  ['', SITE, 'identity'],
  ['deflate', SITE, 'identity'],
  ['identity', SITE, 'identity'],
  ['gzip', [], 'identity'],
  // `identity` is accepted unless it is refused, or all is that is not named.
  ['identity;q=0', SITE, 'identity;q=0'],
  ['*;q=0', SITE, 'identity;q=0'],
  ['*;q=0, identity', SITE, 'identity'],
  ['gzip, identity;q=0', SITE, 'gzip, identity;q=0'],
  ['gzip, identity;q=0.1, *;q=0', SITE, 'gzip'],
  // Not well-formed.
  ['gzip;q=x', SITE, 'identity'],
  ['gzip;q=1;q=0', SITE, 'identity'],
  ['gzipped, x-gzip', SITE, 'identity'],
])('%j comes to what %j has of it: %s', (value, encodings, counting) => {
  expect(acceptableEncodings(value, encodings)).toBe(counting);
});

const name = fc.constantFrom('br', 'gzip', 'zstd', 'identity', '*', '');
const weight = fc.constantFrom('', ';q=0', ';q=0.1', ';q=1', ';q=x');
const members = fc.array(fc.tuple(name, weight), { maxLength: 6 });
const list = fc.uniqueArray(fc.constantFrom('br', 'gzip', 'zstd'));

test('order, space and case have no meaning, and what counts comes to itself', () => {
  fc.assert(
    fc.property(members, list, fc.nat(), (parts, encodings, n) => {
      const counting = acceptableEncodings(parts.map((part) => part.join('')).join(), encodings);
      const turned = [...parts.slice(n % 7), ...parts.slice(0, n % 7)].reverse();
      const shown = turned.map(
        ([coding, q]) => `  ${coding.toUpperCase()} ${q.replace(';', '; ')}`,
      );
      expect(acceptableEncodings(shown.join(' ,'), encodings)).toBe(counting);
      expect(acceptableEncodings(counting, encodings)).toBe(counting);
    }),
    { numRuns: 2000 },
  );
});

test('what counts accepts nothing that the request does not', () => {
  fc.assert(
    fc.property(members, list, (parts, encodings) => {
      const counting = acceptableEncodings(parts.map((part) => part.join('')).join(), encodings);
      const names: string[] = parts.map(([coding]) => coding);
      for (const coding of counting.split(', ')) {
        if (coding.startsWith('identity')) continue;
        expect(names.includes(coding) || names.includes('*')).toBe(true);
        const refused = parts.some(([other, q]) => other === coding && q === ';q=0');
        expect(refused).toBe(false);
      }
      const refuses = parts.some(([coding, q]) => coding === 'identity' && q === ';q=0');
      if (refuses) expect(counting).toMatch(/identity;q=0$/);
    }),
    { numRuns: 2000 },
  );
});
