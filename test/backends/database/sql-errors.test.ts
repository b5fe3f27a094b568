import { CacheUnavailableError } from 'cachewright';
import { faultOf } from '../../../src/backends/database/sql-errors';

test.each([
  // A server that is not there, or cannot work.
  [{ code: 'ECONNREFUSED' }, 'unavailable'],
  [{ code: 'EPIPE' }, 'unavailable'],
  [{ code: '08006' }, 'unavailable'],
  [{ code: '28P01' }, 'unavailable'],
  [{ code: '53300' }, 'unavailable'],
  [{ code: '57014' }, 'unavailable'],
  [{ code: '57P03' }, 'unavailable'],
  [new Error('Connection terminated unexpectedly'), 'unavailable'],
  [undefined, 'unavailable'],
  [new CacheUnavailableError('late', 'timeout'), 'unavailable'],
  // One that is wrong for a cache.
  [{ code: '42P01' }, 'missing-table'],
  [{ code: '42703' }, 'not-allowed'],
  [{ code: '42501' }, 'not-allowed'],
  [{ code: '25006' }, 'not-allowed'],
  [{ code: '54000' }, 'too-large'],
  // One that will not do this.
  [{ code: '23505' }, 'refused'],
  [{ code: '40001' }, 'refused'],
  [{ code: '40P01' }, 'refused'],
  [{ code: '22021' }, 'refused'],
])('PostgreSQL: %j is %s', (error, fault) => {
  expect(faultOf('postgres', error)).toBe(fault);
});

test.each([
  [{ code: 'ECONNREFUSED', errno: -111 }, 'unavailable'],
  [{ code: 'PROTOCOL_CONNECTION_LOST', fatal: true, errno: 1, sqlState: '' }, 'unavailable'],
  [{ errno: 1040, sqlState: '08004' }, 'unavailable'],
  [{ errno: 1045, sqlState: '28000' }, 'unavailable'],
  [{ errno: 1053, sqlState: '08S01' }, 'unavailable'],
  [{ errno: 1969, sqlState: '70100' }, 'unavailable'],
  [{ errno: 3024, sqlState: 'HY000' }, 'unavailable'],
  [{ errno: 1146, sqlState: '42S02' }, 'missing-table'],
  [{ errno: 1054, sqlState: '42S22' }, 'not-allowed'],
  [{ errno: 1142, sqlState: '42000' }, 'not-allowed'],
  [{ errno: 1290, sqlState: 'HY000' }, 'not-allowed'],
  [{ errno: 1153, sqlState: '08S01', fatal: true }, 'too-large'],
  [{ errno: 1062, sqlState: '23000' }, 'refused'],
  [{ errno: 1205, sqlState: 'HY000' }, 'refused'],
  [{ errno: 1213, sqlState: '40001' }, 'refused'],
])('MySQL: %j is %s', (error, fault) => {
  expect(faultOf('mysql', error)).toBe(fault);
});

test.each([
  [{ code: 'SQLITE_CANTOPEN', message: 'unable to open database file' }, 'unavailable'],
  [{ code: 'SQLITE_IOERR', message: 'disk I/O error' }, 'unavailable'],
  [{ code: 'SQLITE_FULL', message: 'database or disk is full' }, 'unavailable'],
  [{ code: 'SQLITE_ERROR', message: 'no such table: cache' }, 'missing-table'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'no such table: cache' }, 'missing-table'],
  [{ code: 'SQLITE_ERROR', message: 'no such column: value' }, 'not-allowed'],
  [{ code: 'SQLITE_READONLY', message: 'attempt to write a readonly database' }, 'not-allowed'],
  [{ code: 'SQLITE_TOOBIG', message: 'string or blob too big' }, 'too-large'],
  [{ code: 'SQLITE_BUSY', message: 'database is locked' }, 'refused'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'database is locked' }, 'refused'],
  [{ code: 'SQLITE_CONSTRAINT_TRIGGER', message: 'refused' }, 'refused'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'UNIQUE constraint failed: a' }, 'refused'],
])('SQLite: %j is %s', (error, fault) => {
  expect(faultOf('sqlite', error)).toBe(fault);
});
