import { describePages } from '../../page-cache/pages';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';

describeEachDatabase('A database', (database) => {
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  describePages('a database', () => ({
    backend: 'database',
    location: table,
    options: { ...UNHURRIED, database: database.url },
  }));
});
