// Entries in a database that has a replica: the replica is read, the primary written.
//
// PRIMARY and REPLICA are URLs of PostgreSQL, MySQL, MariaDB or SQLite. Without them, both are one
// SQLite file, rates.db, which other processes may read while one writes.
//
//   npx tsx src/cli/main.ts createcachetable --database primary --config examples/primary-and-replica.ts
//   npx tsx examples/primary-and-replica.ts
//   curl -s localhost:3000/rates/EUR    asks the bank, and stores the answer in the primary
//   curl -s localhost:3000/rates/EUR    reads the replica: "asked" stays 1, in other processes too
import {
  configureCaches,
  configureDatabases,
  type DatabaseRouter,
  type DatabaseSource,
} from 'cachewright';
import express from 'express';

// The command reads these three from here.
export const databases: Record<string, DatabaseSource> = {
  primary: process.env.PRIMARY ?? 'sqlite:rates.db',
  replica: process.env.REPLICA ?? 'sqlite:rates.db',
};

const cacheRouter: DatabaseRouter = {
  dbForRead: () => 'replica',
  dbForWrite: () => 'primary',
  // The replica gets its tables from the primary.
  allowMigrate: (database) => database === 'primary',
};
export const routers = [cacheRouter];

export const caches = { default: { backend: 'database', location: 'rates cache' } } as const;

configureDatabases(databases, { routers });
const { default: cache } = configureCaches(caches);

export const app = express();

let asked = 0;

app.get('/rates/:currency', async (req, res) => {
  const rate = await cache.getOrSet(req.params.currency, () => askTheBank(req.params.currency), 60);
  res.json({ rate, asked });
});

/** Stands for something slow that somebody else runs. */
async function askTheBank(currency: string): Promise<number> {
  asked += 1;
  return currency === 'EUR' ? 1 : 0.5;
}

if (require.main === module) app.listen(process.env.PORT ?? 3000);
