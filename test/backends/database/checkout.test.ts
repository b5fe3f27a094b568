import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type CacheFailure, DatabaseCache, type DatabaseSource } from 'cachewright';
import { createPool } from 'mysql2';
import { Pool } from 'pg';
import {
  describeWithServer,
  type SharedDatabase,
  sharedMariaDb,
  sharedPostgres,
} from '../../support/servers';
import { createTableAt } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';

/** A server that ends each of its first connections in the moment in which it is handed out. */
interface EndingProxy {
  readonly url: string;
  /** Connections that it ended so. */
  readonly ended: number;
  close(): Promise<void>;
}

/**
 * @param farewell - What the server says with its last words of the handshake, in one packet: the
 *   client reads both in one go, and hands the connection out in between.
 */
async function endingProxy(
  url: string,
  endsHandshake: (chunk: Buffer) => boolean,
  farewell: Buffer,
  times: number,
): Promise<EndingProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let ended = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let isEnded = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (chunk) => {
      if (!isEnded) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isEnded) return;
      if (ended < times && endsHandshake(chunk)) {
        ended += 1;
        isEnded = true;
        client.end(Buffer.concat([chunk, farewell]));
        upstream.destroy();
        return;
      }
      client.write(chunk);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxied = new URL(url);
  proxied.port = String((server.address() as AddressInfo).port);
  return {
    url: proxied.href,
    get ended() {
      return ended;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** `ReadyForQuery`, by which the handshake ends. */
const isReady = (chunk: Buffer) => chunk.includes(Buffer.from('Z\0\0\0\x05I', 'latin1'));

/** What PostgreSQL says to each client as an administrator stops it. */
function adminShutdown(): Buffer {
  const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection', ''].join('\0');
  const body = Buffer.from(`${fields}\0`, 'latin1');
  const head = Buffer.alloc(5);
  head.write('E', 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** The packet `OK` after the greeting. */
const isOk = (chunk: Buffer) => chunk[3]! > 0 && chunk[4] === 0;

/** What MariaDB says to a client whose connection is killed. */
function connectionKilled(): Buffer {
  const body = Buffer.from('\xff\x87\x07#70100Connection was killed', 'latin1');
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
}

/** Opens a source over a connection to `url`; `end` closes what the site has of it. */
type Form = (url: string) => { readonly source: DatabaseSource; end(): unknown };

/** A cache that takes failures for misses and counts them. */
function countingCache(table: string, database: DatabaseSource) {
  const failures: CacheFailure[] = [];
  const onFailure = (_error: unknown, failure: CacheFailure) => failures.push(failure);
  const options = { ...UNHURRIED, database, onError: 'miss' as const, onFailure };
  return { cache: new DatabaseCache(table, { options }), failures };
}

function describeCheckout(
  open: () => Promise<SharedDatabase>,
  endsHandshake: (chunk: Buffer) => boolean,
  farewell: Buffer,
  forms: Record<string, Form>,
): { url(): string } {
  let database: SharedDatabase;
  beforeAll(async () => {
    database = await open();
    await createTableAt(database.url, 'cache');
  });
  afterAll(() => database?.drop());

  test.each(Object.entries(forms))('%s: a miss that is reported, and no more', async (_, make) => {
    const proxy = await endingProxy(database.url, endsHandshake, farewell, 3);
    const { source, end } = make(proxy.url);
    const { cache, failures } = countingCache('cache', source);
    for (let i = 1; i <= 3; i += 1) {
      expect(await cache.get('key', 'a miss')).toBe('a miss');
      expect(proxy.ended).toBe(i);
      expect(failures).toHaveLength(i);
    }
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
    expect(failures).toHaveLength(3);
    await cache.delete('key');
    await cache.close();
    await end();
    await proxy.close();
  });
  return { url: () => database.url };
}

const BY_URL: Form = (url) => ({ source: url, end: () => {} });

describeWithServer('postgres', 'PostgreSQL ends a connection as it is handed out', () => {
  const poolOf = (url: string) => new Pool({ connectionString: url }).on('error', () => {});
  const { url } = describeCheckout(sharedPostgres, isReady, adminShutdown(), {
    'by a URL': BY_URL,
    'from a pool of pg': (url) => {
      const source = poolOf(url);
      return { source, end: () => source.end() };
    },
    // The wrapper has to listen by itself: nobody else can in the same call.
    'from a wrapper that knows promises only': (url) => {
      const pool = poolOf(url).on('connect', (client) => client.on('error', () => {}));
      const source = { totalCount: 0, connect: () => pool.connect(), end: () => pool.end() };
      return { source, end: () => pool.end() };
    },
  });

  test('a connection that was idle until then is lost: a miss', async () => {
    const pool = poolOf(url());
    const { cache, failures } = countingCache('cache', pool);
    await cache.set('key', 'value');
    expect(pool.idleCount).toBe(1);
    pool.once('acquire', (client) => {
      (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
    });
    expect(await cache.get('key', 'a miss')).toBe('a miss');
    expect(failures).toHaveLength(1);
    expect(await cache.get('key')).toBe('value');
    await cache.close();
    await pool.end();
  });
});

describeWithServer('mariadb', 'MariaDB ends a connection as it is handed out', () => {
  const { url } = describeCheckout(sharedMariaDb, isOk, connectionKilled(), {
    'by a URL': BY_URL,
    'from a pool of mysql2': (url) => {
      const source = createPool({ uri: url });
      return { source, end: () => source.promise().end() };
    },
  });

  // mysql2 itself listens to the first error of a connection only.
  test('a farewell, and then a broken connection: a miss', async () => {
    const pool = createPool({ uri: url() });
    const { cache, failures } = countingCache('cache', pool);
    await cache.set('key', 'value');
    pool.once('acquire', (connection) => {
      process.nextTick(() => {
        const { protocolError, stream } = connection as unknown as {
          protocolError(message: string): void;
          stream: Socket;
        };
        protocolError.call(connection, 'Connection was killed');
        stream.destroy(new Error('write EPIPE'));
      });
    });
    expect(await cache.get('key', 'a miss')).toBe('a miss');
    expect(failures).toHaveLength(1);
    expect(await cache.get('key')).toBe('value');
    await cache.close();
    await pool.promise().end();
  });
});
