import { type CacheParams, DatabaseCache } from 'cachewright';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { describeFills } from '../fills';
import { describeTagged } from '../tagged';

describeEachDatabase('A database', (database) => {
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  const open = (params?: CacheParams) =>
    new DatabaseCache(table, { ...params, options: { ...UNHURRIED, database: database.url } });
  describeTagged('a database', open);
  describeFills('a database', open);
});
