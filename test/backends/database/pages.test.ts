import { caches } from 'cachewright';
import { describePages } from '../../page-cache/pages';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';

// Each test has connections of its own, of which a server takes no end.
afterEach(() => caches.closeAll());

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
