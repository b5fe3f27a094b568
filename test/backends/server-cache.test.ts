import { MemcachedCache } from 'cachewright';
import { catchWarnings } from '../support/process-warnings';

const warnings = catchWarnings();

const onFailures: [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('broken hook');
    },
  ],
  ['rejects', async () => Promise.reject(new Error('broken hook'))],
];

test.each(onFailures)(
  'a hook that %s costs the caller nothing, and is told of',
  async (how, onFailure) => {
    const cache = new MemcachedCache('127.0.0.1:1', { options: { onError: 'miss', onFailure } });
    // Each kind of failure is told of once a minute, so that each hook needs one of its own.
    if (how === 'throws') expect(await cache.get('key')).toBeUndefined();
    else expect(await cache.getMany(['key'])).toEqual({});
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('broken hook'),
    ]);
    await cache.close();
  },
);
