import { nearestName } from '../../src/arguments/nearest-name';

const KNOWN = ['maxAge', 'sMaxage', 'keyPrefix', 'timeout', 'seconds', 'key', 'tags'];

test.each<[given: string, nearest: string | undefined]>([
  ['maxage', 'maxAge'],
  ['max_age', 'maxAge'],
  ['MAX-AGE', 'maxAge'],
  ['KEY_PREFIX', 'keyPrefix'],
  ['keyPreifx', 'keyPrefix'],
  ['timout', 'timeout'],
  ['tiemout', 'timeout'],
  ['time_outs', 'timeout'],
  ['second', 'seconds'],
  ['tag', undefined],
  ['tagz', 'tags'],
  ['kee', undefined],
  ['own', undefined],
  ['', undefined],
  ['_', undefined],
  ['a'.repeat(10_000), undefined],
])('%j most probably means %j', (given, nearest) => {
  expect(nearestName(given, KNOWN)).toBe(nearest);
});

test('the closest of several is told, whatever their order', () => {
  expect(nearestName('smaxage', ['maxAge', 'sMaxage'])).toBe('sMaxage');
  expect(nearestName('smaxage', ['sMaxage', 'maxAge'])).toBe('sMaxage');
});
