import { once } from 'node:events';
import net, { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CacheUnavailableError,
  CacheValueError,
  MemcachedCache,
  type MemcachedOptions,
} from 'cachewright';
import { ServerGuard } from '../../../src/backends/server-guard';
import { runScript } from '../../support/child';
import { eventually } from '../../support/eventually';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { say } from '../../support/text-protocol';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';

/** Soon over, and still enough for a server that answers. */
const QUICK: MemcachedOptions = { readTimeoutMs: 1000, writeTimeoutMs: 1000 };

const caches: MemcachedCache[] = [];
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())));

function open(location: string | string[], options: MemcachedOptions = QUICK): MemcachedCache {
  const cache = new MemcachedCache(location, { options });
  caches.push(cache);
  return cache;
}

/** How each of these operations failed: the reasons. */
async function reasons(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(calls);
  return outcomes.map((outcome) => {
    if (outcome.status === 'fulfilled') return 'none';
    expect(outcome.reason).toBeInstanceOf(CacheUnavailableError);
    return (outcome.reason as CacheUnavailableError).reason;
  });
}

describeWithServer('memcached', 'a Memcached server that', () => {
  let server: MemcachedServer;
  beforeEach(async () => {
    server = await startMemcached();
  });
  afterEach(() => server.stop());

  test('is frozen is given up on in time, left alone, and used again once it goes on', async () => {
    const cache = open(server.url);
    await eventually(() => cache.set('key', 'value'));
    for (let round = 0; round < 3; round += 1) {
      server.freeze();
      const first = [1, 2, 3, 4, 5].map((i) => cache.get(`key${i}`));
      expect(await reasons(first)).toEqual(Array(5).fill('timeout'));
      const more = Array.from({ length: 1000 }, (_, i) => cache.set(`key${i}`, i));
      expect(await reasons(more)).toEqual(Array(1000).fill('open'));
      server.thaw();
      expect(await eventually(() => cache.get('key'))).toBe('value');
    }
  });

  test('is frozen for long costs one connection after the other, and no memory', async () => {
    const cache = open(server.url, { readTimeoutMs: 200, writeTimeoutMs: 200, maxPoolSize: 1 });
    await eventually(() => cache.set('key', 'value'));
    const before = Number(/total_connections (\d+)/.exec(await say(server, 'stats'))![1]);
    server.freeze();
    await reasons([1, 2, 3, 4, 5].map((i) => cache.get(`key${i}`)));
    // Each question whether it is there gives up a connection.
    const connect = jest.spyOn(net, 'connect');
    await eventually(() => expect(connect.mock.calls.length).toBeGreaterThanOrEqual(3));
    connect.mockRestore();
    server.thaw();
    expect(await eventually(() => cache.get('key'))).toBe('value');
    const after = Number(/total_connections (\d+)/.exec(await say(server, 'stats'))![1]);
    expect(after).toBeGreaterThan(before + 1);
    const { curr } = /curr_connections (?<curr>\d+)/.exec(await say(server, 'stats'))!.groups!;
    expect(Number(curr)).toBeLessThan(6);
  });

  test('is killed fails all that is under way at once, and is used again once it is back', async () => {
    const cache = open(server.url, UNHURRIED_MEMCACHED);
    for (let round = 0; round < 5; round += 1) {
      await cache.set('key', round);
      server.freeze();
      const underWay = [1, 2, 3].map((i) => cache.get(`key${i}`));
      await delay(20);
      await server.kill();
      // Not after a minute.
      expect(await reasons(underWay)).toEqual(Array(3).fill('refused'));
      const gone = [1, 2, 3, 4, 5].map((i) => cache.get(`key${i}`));
      expect(await reasons(gone)).toEqual(Array(5).fill('refused'));
      expect(await reasons([cache.get('key')])).toEqual(['open']);
      await server.restart();
      expect(await eventually(() => cache.get('key', 'miss'))).toBe('miss');
    }
  });

  test('is frozen does not hold up the others', async () => {
    const others = await Promise.all([startMemcached(), startMemcached()]);
    const keys = Array.from({ length: 60 }, (_, i) => `key${i}`);
    const cache = open([server, ...others].map(({ url }) => url));
    await eventually(() => cache.setMany(Object.fromEntries(keys.map((key) => [key, 1]))));
    server.freeze();
    const outcomes = await Promise.allSettled(keys.map((key) => cache.get(key)));
    const found = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(found).toBeGreaterThan(20);
    expect(found).toBeLessThan(55);
    server.thaw();
    await Promise.all(others.map((other) => other.stop()));
  });

  test('is frozen as close() is called lets it end, and the process with it', async () => {
    const cache = open(server.url);
    await eventually(() => cache.set('key', 'value'));
    server.freeze();
    const underWay = reasons([1, 2, 3, 4, 5].map((i) => cache.get(`key${i}`)));
    await cache.close();
    expect(await underWay).toEqual(Array(5).fill('timeout'));
    server.thaw();
    // Nothing asks any more whether it is there.
    await delay(1200);
    const idle = await startMemcached();
    const count = /curr_connections \d+/.exec(await say(idle, 'stats'))![0];
    await idle.stop();
    await eventually(async () => expect(await say(server, 'stats')).toContain(count));
  });
});

/** A listener that answers as a test has it. */
describe('a server that', () => {
  const listeners: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(
      listeners.splice(0).map((listener) => new Promise((done) => listener.close(done))),
    );
  });

  async function listen(answer: (socket: Socket, request: Buffer) => void): Promise<string> {
    const listener = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        for (let at = 0; at + 24 <= bytes.length; at += 24 + bytes.readUInt32BE(at + 8)) {
          answer(socket, bytes.subarray(at, at + 24 + bytes.readUInt32BE(at + 8)));
        }
      });
    });
    listeners.push(listener);
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  }

  /** An answer to a GET. */
  function found(request: Buffer, value: string, claimed = Buffer.byteLength(value)): Buffer {
    const header = Buffer.alloc(28);
    header[0] = 0x81;
    header[4] = 4;
    header.writeUInt32BE(4 + claimed, 8);
    request.copy(header, 12, 12, 16);
    return Buffer.concat([header, Buffer.from(value)]);
  }

  test('sends its answers in bits is understood', async () => {
    const url = await listen((socket, request) => {
      for (const byte of found(request, '12345')) socket.write(Buffer.of(byte));
    });
    const cache = open(url, UNHURRIED_MEMCACHED);
    expect(await cache.get('key')).toBe(12345);
    expect(await Promise.all([1, 2, 3].map((i) => cache.get(`key${i}`)))).toEqual(
      Array(3).fill(12345),
    );
  });

  test('hangs up in the middle of an answer leaves the next one whole', async () => {
    let requests = 0;
    const url = await listen((socket, request) => {
      requests += 1;
      if (requests === 1) socket.end(found(request, '12', 100));
      else socket.write(found(request, '12345'));
    });
    const cache = open(url, UNHURRIED_MEMCACHED);
    expect(await reasons([cache.get('key')])).toEqual(['refused']);
    expect(await cache.get('key')).toBe(12345);
  });

  test.each([
    ['refuses politely', 'hangs up', (socket: Socket) => socket.end()],
    ['speaks another protocol', 'binary protocol', (socket: Socket) => socket.write('ERROR\r\n')],
  ])('%s is an error at once', async (_name, message, answer) => {
    const url = await listen(answer);
    const cache = open(url, { readTimeoutMs: 60_000 });
    const call = cache.get('key');
    await expect(call).rejects.toBeInstanceOf(CacheUnavailableError);
    await expect(call).rejects.toThrow(message === 'hangs up' ? 'hung up' : message);
  });

  test('claims more than it sends is given up on in time', async () => {
    const url = await listen((socket, request) => {
      socket.write(found(request, '12', 0xffff_0000));
    });
    expect(await reasons([open(url).get('key')])).toEqual(['timeout']);
  });

  test('answers what nobody asked does no harm', async () => {
    const url = await listen((socket, request) => {
      const stray = found(request, '666');
      stray.writeUInt32BE(7, 12);
      socket.write(Buffer.concat([stray, found(request, '12345'), found(request, '777')]));
    });
    const cache = open(url, UNHURRIED_MEMCACHED);
    expect(await cache.get('key')).toBe(12345);
    expect(await cache.get('key')).toBe(12345);
  });

  test('takes all and answers nothing loses its connection, whatever else is sent', async () => {
    let connections = 0;
    const url = await listen(() => {});
    listeners[0]!.on('connection', () => {
      connections += 1;
    });
    const cache = open(url, { ...QUICK, maxPoolSize: 1 });
    const calls: Promise<string[]>[] = [];
    // Memjs counts from the last packet that was sent.
    for (let i = 0; i < 8; i += 1) {
      calls.push(reasons([cache.get(`key${i}`)]));
      await delay(100);
    }
    for (const outcome of await Promise.all(calls))
      expect(['timeout', 'open']).toContain(outcome[0]);
    await eventually(() => expect(connections).toBeGreaterThan(1));
  });

  test('refuses a value is told to drop the old one (MEMC-06)', async () => {
    const opcodes: number[] = [];
    const url = await listen((socket, request) => {
      opcodes.push(request[1]!);
      const tooLarge = Buffer.alloc(24);
      tooLarge[0] = 0x81;
      tooLarge[7] = request[1] === 0x01 ? 0x03 : 0x00;
      request.copy(tooLarge, 12, 12, 16);
      socket.write(tooLarge);
    });
    await expect(open(url, UNHURRIED_MEMCACHED).set('key', 'value')).rejects.toBeInstanceOf(
      CacheValueError,
    );
    expect(opcodes).toEqual([0x01, 0x04]);
  });

  /** An answer that something was done, or found to be so. */
  function done(request: Buffer): Buffer {
    const header = Buffer.alloc(24);
    header[0] = 0x81;
    header[1] = request[1]!;
    request.copy(header, 12, 12, 16);
    return header;
  }

  test('takes long to let the user in is not sent late what was given up', async () => {
    const opcodes: number[] = [];
    let held = () => {};
    const url = await listen((socket, request) => {
      opcodes.push(request[1]!);
      if (request[1] === 0x20 && opcodes.length === 1) held = () => socket.write(done(request));
      else socket.write(done(request));
    });
    const cache = open(`me:secret@${url}`, { ...UNHURRIED_MEMCACHED, maxPoolSize: 1 });
    const value = { byteLength: 4, toBytes: () => Buffer.from('page') };
    await expect(cache.setFrozen('page', value, 60, 100)).rejects.toMatchObject({
      reason: 'timeout',
    });
    await eventually(() => expect(opcodes).toEqual([0x20]));
    held();
    await cache.set('key', 1);
    expect(opcodes).toEqual([0x20, 0x21, 0x01]);
  });

  test('takes long for the parts of a page is not told of them late', async () => {
    const keys: string[] = [];
    const held: (() => void)[] = [];
    const url = await listen((socket, request) => {
      const keyAt = 24 + request[4]!;
      keys.push(request.toString('latin1', keyAt, keyAt + request.readUInt16BE(2)));
      const answer = () => socket.write(done(request));
      if (keys.length === 1) answer();
      else held.push(answer);
    });
    const cache = open(url, { ...UNHURRIED_MEMCACHED, maxPoolSize: 1, maxItemBytes: 1000 });
    await cache.set('warm', 1);
    const value = { byteLength: 1500, toBytes: () => Buffer.alloc(1500) };
    await expect(cache.setFrozen('page', value, 60, 100)).rejects.toMatchObject({
      reason: 'timeout',
    });
    for (const answer of held) answer();
    await cache.close();
    expect(keys).toHaveLength(3);
    expect(keys).not.toContain(':1:page');
  });

  test('never lets the user in does not keep the process alive', async () => {
    const url = await listen(() => {});
    const { stdout } = await runScript(`
      const options = { connectTimeoutMs: 100, readTimeoutMs: 5000 };
      const cache = new cachewright.MemcachedCache('me:secret@${url}', { options });
      (async () => {
        await cache.get('key').catch((error) => console.log(error.message));
        await cache.close();
      })();`);
    expect(stdout).toMatch(/timed out connecting/);
  });

  test('is closed is asked nothing any more', async () => {
    const close = jest.spyOn(ServerGuard.prototype, 'close');
    const cache = open(['127.0.0.1:1', '127.0.0.1:2'], {});
    await reasons([cache.get('key')]);
    await cache.close();
    expect(close).toHaveBeenCalledTimes(2);
    close.mockRestore();
  });

  test('has more under way than it may is asked no more', async () => {
    const url = await listen(() => {});
    const cache = open(url, { ...QUICK, maxPending: 3 });
    const outcomes = await reasons([1, 2, 3, 4].map((i) => cache.get(`key${i}`)));
    expect(outcomes).toEqual(['timeout', 'timeout', 'timeout', 'overload']);
  });
});
