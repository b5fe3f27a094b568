import { DatabaseCache } from 'cachewright';
import { stopClock } from '../../support/clock';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { describeModel } from '../model';

const clock = stopClock();
const CALLS = 15_000;

describeEachDatabase('The model of a database cache', (database) => {
  describeModel(
    'DatabaseCache',
    async (params) =>
      new DatabaseCache(await database.createTable(), {
        ...params,
        options: { ...UNHURRIED, ...params.options, database: database.url },
      }),
    clock,
    { expiresAtInstant: false, incrKeepsTimeout: false, keepsExpired: true },
    CALLS,
  );
});
