import { MemcachedCache } from 'cachewright';
import { parseAddress } from '../../../src/backends/memcached/address';
import { serverList } from '../../../src/backends/server-list';

test.each([
  ['an array', ['server1.tld', 'server2:11211']],
  ['a string with semicolons', 'server1.tld;server2:11211'],
  ['a string with commas', 'server1.tld,server2:11211'],
])('%s names two servers (MEMC-01)', (_name, location) => {
  expect(serverList(location, 'localhost')).toEqual(['server1.tld', 'server2:11211']);
  expect(() => new MemcachedCache(location)).not.toThrow();
});

test.each([
  ['cache.example.com', 'cache.example.com:11211', 'cache.example.com', 11211],
  ['cache_1:1234', 'cache_1:1234', 'cache_1', 1234],
  ['127.0.0.1', '127.0.0.1:11211', '127.0.0.1', 11211],
  ['127.0.0.1:80', '127.0.0.1:80', '127.0.0.1', 80],
  ['[::1]', '[::1]:11211', '::1', 11211],
  ['[::1]:443', '[::1]:443', '::1', 443],
  ['memcached://cache:1234/', 'cache:1234', 'cache', 1234],
  ['unix:/run/memcached.sock', '/run/memcached.sock', undefined, '/run/memcached.sock'],
  ['/run/memcached.sock', '/run/memcached.sock', undefined, '/run/memcached.sock'],
  ['unix:///run/memcached.sock', '/run/memcached.sock', undefined, '/run/memcached.sock'],
])('%s is read as %s (MEMC-02)', (text, name, host, port) => {
  expect(parseAddress(text)).toEqual({
    name,
    host,
    port,
    username: undefined,
    password: undefined,
  });
});

test('a server may bring its user and password (MEMC-02)', () => {
  expect(parseAddress('me:p%40ss%2Cword@cache:1234')).toEqual({
    name: 'cache:1234',
    host: 'cache',
    port: 1234,
    username: 'me',
    password: 'p@ss,word',
  });
});

test.each([
  '::1',
  'cache:port',
  'cache:0',
  'cache:70000',
  'cache/path',
  'cache?query',
  'cache#hash',
  'http://cache',
  'unix:',
  'unix:relative.sock',
  '/',
  'only-a-user@cache',
  'me:%zz@cache',
  'a b',
])('%s is no server (MEMC-02)', (text) => {
  expect(() => parseAddress(text)).toThrow(TypeError);
});

test.each([
  'me:secret@cache:port',
  'me:/secret@cache',
  'me:a:secret@cache:port',
  'me:a@secret@cache:port',
  'http://me:secret@cache',
])('a password is not told to the log: %s', (text) => {
  expect(() => parseAddress(text)).toThrow(/…@cache/);
  expect(() => parseAddress(text)).not.toThrow(/secret/);
});

test('nor one in a list that is none', () => {
  const locations = [['me:secret@cache', 5], { servers: [], password: 'secret' }];
  for (const location of locations) {
    const open = () => new MemcachedCache(location as unknown as string);
    expect(open).toThrow(/location/);
    expect(open).not.toThrow(/secret/);
  }
});

test.each([undefined, '', ' , ', [], [5], {}, null])('%p names no server', (location) => {
  expect(() => new MemcachedCache(location as string)).toThrow(/location/);
});
