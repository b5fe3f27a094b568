import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname } from 'node:path';
import { Redis } from 'ioredis';
import { Client as Memjs } from 'memjs';
import { createConnection } from 'mysql2/promise';
import { Client as Postgres } from 'pg';
import type { Server } from './servers';
import {
  describeWithServer,
  sharedMariaDb,
  sharedPostgres,
  startMariaDb,
  startMemcached,
  startNginx,
  startPostgres,
  startRedis,
} from './servers';
import { startOf } from './servers/processes';
import { programPath } from './servers/programs';
import { startServer } from './servers/server-process';
import { sharedDatabase } from './servers/shared-server';

const open: { stop(): Promise<void> }[] = [];

/** Stopped after the test, if it has not stopped it itself. */
function keep<S extends { stop(): Promise<void> }>(server: S): S {
  open.push(server);
  return server;
}

afterEach(async () => {
  for (const server of open.splice(0).reverse()) await server.stop();
});

async function pong(url: string, options = {}): Promise<string> {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null, ...options });
  redis.on('error', () => {});
  try {
    return await redis.ping();
  } finally {
    redis.disconnect();
  }
}

/** Whether anything of a server is left. */
async function isGone(server: Server): Promise<boolean> {
  await server.stop();
  return startOf(server.pid) === undefined;
}

describeWithServer('redis', 'startRedis()', () => {
  test('starts a Redis that answers, and leaves nothing', async () => {
    const redis = keep(await startRedis());
    expect(await pong(redis.url)).toBe('PONG');
    expect(startOf(redis.pid)).toBeDefined();
    expect(await isGone(redis)).toBe(true);
    await expect(pong(redis.url)).rejects.toThrow();
  });

  test('asks for a password', async () => {
    const redis = keep(await startRedis({ password: 'p:/@ss' }));
    expect(await pong(redis.url)).toBe('PONG');
    await expect(pong(`redis://127.0.0.1:${redis.port}`)).rejects.toThrow('NOAUTH');
  });

  test('asks for a user', async () => {
    const redis = keep(await startRedis({ user: { name: 'ann', password: 'secret' } }));
    expect(await pong(redis.url)).toBe('PONG');
    await expect(pong(`redis://127.0.0.1:${redis.port}`)).rejects.toThrow('NOAUTH');
  });

  test('listens on a Unix socket alone', async () => {
    const redis = keep(await startRedis({ unixSocket: true }));
    expect(await pong(redis.path!)).toBe('PONG');
    expect(redis.url).toBe(`unix://${redis.path}`);
    await expect(pong(`redis://127.0.0.1:${redis.port}`)).rejects.toThrow();
    await redis.stop();
    expect(existsSync(dirname(redis.path!))).toBe(false);
  });

  test('takes further lines of configuration', async () => {
    const redis = keep(await startRedis({ config: { maxmemory: '10mb' } }));
    const client = new Redis(redis.url);
    expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', '10485760']);
    client.disconnect();
  });

  test('freezes, thaws, dies and comes back empty on its port', async () => {
    const redis = keep(await startRedis());
    const client = new Redis(redis.url, { commandTimeout: 200, retryStrategy: () => 20 });
    client.on('error', () => {});
    await client.set('key', 'value');

    redis.freeze();
    await expect(client.get('key')).rejects.toThrow('Command timed out');
    redis.thaw();
    expect(await client.get('key')).toBe('value');

    const { pid } = redis;
    await redis.kill();
    expect(startOf(pid)).toBeUndefined();
    await redis.restart();
    expect(redis.pid).not.toBe(pid);
    const after = new Redis(redis.url);
    expect(await after.get('key')).toBeNull();
    after.disconnect();
    client.disconnect();
  });

  test('a frozen one is stopped too', async () => {
    const redis = keep(await startRedis());
    redis.freeze();
    expect(await isGone(redis)).toBe(true);
  });

  test('starts on another port if its own is taken meanwhile', async () => {
    const other = keep(await startRedis());
    const ports: number[] = [];
    const { server, place } = await startServer('redis', ({ port }) => {
      ports.push(ports.length === 0 ? other.port : port);
      return {
        program: programPath('redis-server'),
        args: ['--port', String(ports.at(-1)), '--bind', '127.0.0.1'],
        ready: { log: /ready to accept connections/i },
      };
    });
    keep(server);
    expect(ports).toEqual([other.port, place.port]);
    expect(await pong(`redis://127.0.0.1:${place.port}`)).toBe('PONG');
  });

  test('an unknown setting is told with what Redis says', async () => {
    await expect(startRedis({ config: { colour: 'red' } })).rejects.toThrow(/redis.*colour/s);
  });
});

describeWithServer('redis-tls', 'startRedis() with TLS', () => {
  test('takes TLS alone, with a certificate of its own', async () => {
    const redis = keep(await startRedis({ tls: true }));
    expect(await pong(redis.url, { tls: { ca: redis.ca } })).toBe('PONG');
    await expect(pong(redis.url)).rejects.toThrow();
    await expect(pong(`redis://127.0.0.1:${redis.port}`)).rejects.toThrow();
  });
});

describeWithServer('memcached', 'startMemcached()', () => {
  test('starts a Memcached that answers, and leaves nothing', async () => {
    const memcached = keep(await startMemcached());
    const client = Memjs.create(memcached.url, { retries: 0 });
    await client.set('key', 'value', {});
    expect(String((await client.get('key')).value)).toBe('value');
    await memcached.restart();
    client.close();
    const again = Memjs.create(memcached.url);
    expect((await again.get('key')).value).toBeNull();
    again.close();
    expect(await isGone(memcached)).toBe(true);
  });

  test('listens on a Unix socket alone', async () => {
    const memcached = keep(await startMemcached({ unixSocket: true }));
    expect(await version(memcached.path!)).toMatch(/^VERSION /);
    await memcached.restart();
    expect(await version(memcached.url)).toMatch(/^VERSION /);
  });

  test('takes no larger items than it is told', async () => {
    const memcached = keep(await startMemcached({ itemLimit: 16_384 }));
    const logger = { log: () => {} };
    const client = Memjs.create(memcached.url, { retries: 0, logger });
    await client.set('small', 'x'.repeat(10_000), {});
    await expect(client.set('large', 'x'.repeat(20_000), {})).rejects.toThrow();
    client.close();
  });
});

describeWithServer('memcached-sasl', 'startMemcached() with SASL', () => {
  test('asks for a user', async () => {
    const sasl = { username: 'ann', password: 'secret' };
    const memcached = keep(await startMemcached({ sasl }));
    const known = Memjs.create(memcached.url, { ...sasl, retries: 0 });
    await known.set('key', 'value', {});
    expect(String((await known.get('key')).value)).toBe('value');
    known.close();
    const logger = { log: () => {} };
    const unknown = Memjs.create(memcached.url, { ...sasl, password: 'no', retries: 0, logger });
    await expect(unknown.get('key')).rejects.toBeDefined();
    unknown.close();
  });
});

describeWithServer('postgres', 'PostgreSQL', () => {
  test('sharedPostgres() makes a database of its own for each caller', async () => {
    const [first, second] = await Promise.all([sharedPostgres(), sharedPostgres()]);
    expect(first.url).not.toBe(second.url);
    await sql(first.url, 'CREATE TABLE here (id int)');
    await expect(sql(second.url, 'SELECT * FROM here')).rejects.toThrow('does not exist');
    await Promise.all([first.drop(), second.drop()]);
    await expect(sql(first.url, 'SELECT 1')).rejects.toThrow('does not exist');
  });

  test('startPostgres() freezes with its connections, dies with them, keeps its data', async () => {
    const server = keep(await startPostgres());
    const client = new Postgres({ connectionString: server.url, query_timeout: 300 });
    client.on('error', () => {});
    await client.connect();
    await client.query('CREATE TABLE here AS SELECT 7 AS id');
    server.freeze();
    await expect(client.query('SELECT 1')).rejects.toThrow('timeout');
    await server.kill();
    await server.restart();
    expect(await sql(server.url, 'SELECT id FROM here')).toEqual([{ id: 7 }]);
    expect(await isGone(server)).toBe(true);
  });
});

describe('sharedDatabase()', () => {
  test('has the server started by the first caller alone', async () => {
    const start = jest.fn(async () => ({ url: 'postgres://u:p@127.0.0.1:1/main' }));
    const commands = { create: jest.fn(async () => {}), drop: jest.fn(async () => {}) };
    const open = () => sharedDatabase('counted', start, commands);
    const [first, second] = await Promise.all([open(), open()]);
    expect(start).toHaveBeenCalledTimes(1);
    expect(first.url).toBe(`postgres://u:p@127.0.0.1:1/${first.name}`);
    expect(commands.create).toHaveBeenCalledWith('postgres://u:p@127.0.0.1:1/main', second.name);
    await first.drop();
    expect(commands.drop.mock.calls).toEqual([['postgres://u:p@127.0.0.1:1/main', first.name]]);
  });

  test('does not keep the others waiting for a server that does not start', async () => {
    const commands = { create: async () => {}, drop: async () => {} };
    const start = () => Promise.reject(new Error('no room'));
    await expect(sharedDatabase('broken', start, commands)).rejects.toThrow('no room');
    await expect(sharedDatabase('broken', start, commands)).rejects.toThrow('shared broken');
  });
});

describeWithServer('mariadb', 'MariaDB', () => {
  test('sharedMariaDb() makes a database of its own for each caller', async () => {
    const [first, second] = await Promise.all([sharedMariaDb(), sharedMariaDb()]);
    expect(first.url).not.toBe(second.url);
    await mysql(first.url, 'CREATE TABLE here (id int)');
    await expect(mysql(second.url, 'SELECT * FROM here')).rejects.toThrow("doesn't exist");
    await Promise.all([first.drop(), second.drop()]);
    await expect(mysql(first.url, 'SELECT 1')).rejects.toThrow('Unknown database');
  });

  test('startMariaDb() dies, and keeps its data', async () => {
    const server = keep(await startMariaDb());
    await mysql(server.url, 'CREATE TABLE here AS SELECT 7 AS id');
    await server.kill();
    await server.restart();
    expect(await mysql(server.url, 'SELECT id FROM here')).toEqual([{ id: 7 }]);
    expect(await isGone(server)).toBe(true);
  });
});

async function sql(url: string, text: string): Promise<unknown> {
  const client = new Postgres({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function mysql(url: string, text: string): Promise<unknown> {
  const connection = await createConnection(url);
  try {
    return (await connection.query(text))[0];
  } finally {
    await connection.end();
  }
}

/** memjs does not take paths. */
function version(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write('version\r\n'));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(String(data));
    });
  });
}

describeWithServer('nginx', 'startNginx()', () => {
  test('starts an nginx that stores what the site lets it, and leaves nothing', async () => {
    let calls = 0;
    const site = createServer((req, res) => {
      calls += 1;
      if (req.url === '/kept') res.setHeader('Cache-Control', 'max-age=60');
      res.end(`answer ${calls}`);
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    try {
      const nginx = keep(await startNginx((site.address() as AddressInfo).port));
      const seen: unknown[] = [];
      for (const path of ['/kept', '/kept', '/not', '/not']) {
        const answer = await fetch(nginx.url + path);
        seen.push([answer.headers.get('x-cache-status'), await answer.text()]);
      }
      expect(seen).toEqual([
        ['MISS', 'answer 1'],
        ['HIT', 'answer 1'],
        ['MISS', 'answer 2'],
        ['MISS', 'answer 3'],
      ]);
      expect(await isGone(nginx)).toBe(true);
    } finally {
      site.closeAllConnections();
      site.close();
    }
  });
});
