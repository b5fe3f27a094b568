import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caches } from 'cachewright';
import type { Express } from 'express';
import Database from 'libsql';
import request from 'supertest';
import { run } from '../../src/cli/run';

const directory = mkdtempSync(join(tmpdir(), 'cachewright-replica-'));
let app: Express;
let replica: InstanceType<typeof Database>;

async function createTable(database: string): Promise<number> {
  // What the example exports it has configured as well.
  writeFileSync(join(directory, 'cachewright.config.cjs'), '');
  const args = ['createcachetable', '--database', database];
  return run({ args, directory, out: () => {}, err: () => {} });
}

beforeAll(async () => {
  process.env.PRIMARY = `sqlite:${directory}/primary.db`;
  process.env.REPLICA = `sqlite:${directory}/replica.db`;
  ({ app } = await import('../../examples/primary-and-replica.js'));
  replica = new Database(join(directory, 'replica.db'), { timeout: 5000 });
});
afterAll(() => {
  replica.close();
  rmSync(directory, { recursive: true });
});

/** SQLite has no replicas: this is what one would do. */
function replicate(): void {
  const tables = "select sql from primary_db.sqlite_master where name = 'rates cache'";
  replica.exec(`attach '${directory}/primary.db' as primary_db`);
  const [{ sql }] = replica.prepare(tables).all() as [{ sql: string }];
  replica.exec('drop table if exists main."rates cache"');
  replica.exec(sql);
  replica.exec('insert into main."rates cache" select * from primary_db."rates cache"');
  replica.exec('detach primary_db');
}

test('the table is made in the primary alone, and entries are written there and read from the replica', async () => {
  const rate = async () => (await request(app).get('/rates/EUR').expect(200)).body;
  expect(await createTable('replica')).toBe(0);
  expect(await createTable('primary')).toBe(0);
  expect(replica.prepare('select * from sqlite_master').all()).toEqual([]);
  replicate();
  expect(await rate()).toEqual({ rate: 1, asked: 1 });
  // Not replicated yet: a miss, but the primary is asked before it is made once more.
  expect(await caches.default.get('EUR')).toBeUndefined();
  expect(await rate()).toEqual({ rate: 1, asked: 1 });
  replicate();
  expect(await caches.default.get('EUR')).toBe(1);
  expect(await rate()).toEqual({ rate: 1, asked: 1 });
});
