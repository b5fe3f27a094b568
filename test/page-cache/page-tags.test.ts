import type { PageRecord } from '../../src/page-cache/page-record';
import type { PageSettings } from '../../src/page-cache/page-settings';
import { validityOfRecord } from '../../src/page-cache/page-tags';

test('only what was read after the sequence is known to be valid at it', async () => {
  const tags = { sequence: 6, checkRead: () => 'valid' };
  const settings = { cache: { tags } } as unknown as PageSettings;
  const record = { counters: new Map([['all', 1]]), validAt: -1 } as unknown as PageRecord;
  // A purge may have been told since these were asked for.
  expect(validityOfRecord(settings, record, new Map([['all', 1]]))).toBe('valid');
  expect(record.validAt).toBe(-1);
  expect(validityOfRecord(settings, record, undefined)).toBe('valid');
  expect(record.validAt).toBe(6);
});
