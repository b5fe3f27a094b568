import { DatabaseCache } from 'cachewright';
import { stopClock } from '../../support/clock';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { describeCacheContract } from '../contract';

describeEachDatabase('A database cache', (database) => {
  const clock = stopClock();
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });

  describeCacheContract(
    'DatabaseCache',
    (params) =>
      new DatabaseCache(table, {
        ...params,
        options: { ...UNHURRIED, ...params.options, database: database.url },
      }),
    {
      advance: (seconds) => clock.advance(seconds),
      incrKeepsTimeout: false,
      culling: { thirds: 29, all: 18 },
    },
  );
});
