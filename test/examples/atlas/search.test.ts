import { buildSearchIndex, searchCountries } from '../../../examples/atlas/search';

const index = buildSearchIndex();
const codes = (query: string) => searchCountries(index, query).map(({ country }) => country.cca3);

test.each([
  ['portugal', 'PRT'],
  ['  PoRtUgAl ', 'PRT'],
  ['Österreich', 'AUT'],
  ['osterreich', 'AUT'],
  ['ألمانيا', 'DEU'],
  ['日本', 'JPN'],
  ['Reykjavik', 'ISL'],
  ['CHE', 'CHE'],
])('%s finds %s first', (query, code) => {
  expect(codes(query)[0]).toBe(code);
});

test('whole names come before beginnings, and these before words within', () => {
  const found = codes('guinea');
  expect(found[0]).toBe('GIN');
  expect(found.indexOf('GNB')).toBeLessThan(found.indexOf('PNG'));
});

test('nothing finds nothing', () => {
  expect(codes('')).toEqual([]);
  expect(codes(' ')).toEqual([]);
  expect(codes('qqqq')).toEqual([]);
});

test('a query cannot reach from one name into the next', () => {
  expect(codes('portugal\nportuguese republic')).toEqual([]);
});
