import {
  type BaseCache,
  type CacheParams,
  DatabaseCache,
  FileBasedCache,
  TieredCache,
} from 'cachewright';
import { stopClock } from '../../support/clock';
import { hurry } from '../../support/hurry';
import { tempDirectories } from '../../support/temp-directory';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { describeCacheContract } from '../contract';

/** Short, for many tests wait for it. */
const options = { trustMs: 20 };

/**
 * Who writes another's keys by a key function that looks like theirs does so past their local tier.
 */
function over(shared: BaseCache): BaseCache {
  return shared.makeKey('k') === 'k' ? shared : new TieredCache(shared, { options }, true);
}

describeEachDatabase('A local tier over a database', (database) => {
  const clock = stopClock();
  const time = hurry();
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  describeCacheContract(
    'TieredCache',
    (params: CacheParams) =>
      over(
        new DatabaseCache(table, {
          ...params,
          options: { ...UNHURRIED, ...params.options, database: database.url },
        }),
      ),
    {
      advance: (seconds) => {
        clock.advance(seconds);
        time.advance(1);
      },
      incrKeepsTimeout: false,
      culling: { thirds: 29, all: 18 },
    },
  );
});

describe('A local tier over files', () => {
  const clock = stopClock();
  const time = hurry();
  const makeDirectory = tempDirectories();
  let directory: string;
  beforeAll(() => {
    directory = makeDirectory();
  });
  describeCacheContract('TieredCache', (params) => over(new FileBasedCache(directory, params)), {
    advance: (seconds) => {
      clock.advance(seconds);
      time.advance(1);
    },
    incrKeepsTimeout: false,
    // What the local tiers agree by is an entry more.
    culling: 'untested',
  });
});
