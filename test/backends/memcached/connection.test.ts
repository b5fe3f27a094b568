import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Connection } from '../../../src/backends/memcached/connection';
import { loadMemjs } from '../../../src/backends/memcached/memjs';
import { Deadline } from '../../../src/cache/deadline';

test('a connection that has ended opens no other for what is sent later', async () => {
  let connections = 0;
  const server = createServer(() => {
    connections += 1;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { connectTimeoutMs: 1000, noDelay: true, keepAlive: false };
  const address = { host: '127.0.0.1', port, username: undefined, password: undefined };
  const connection = new Connection(
    loadMemjs(),
    address as never,
    options,
    () => 1000,
    () => {},
  );
  while (connections === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  connection.end(new Error('the server has hung up'));
  const deadline = new Deadline(1000);
  const late = connection.send({ key: 'key' } as never, deadline);
  await expect(late).rejects.toThrow(/closed before the command was sent/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(connections).toBe(1);
  deadline.end();
  server.close();
});

test('a process that is too busy to see that it is connected does not give up', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { connectTimeoutMs: 50, noDelay: true, keepAlive: false };
  const address = { host: '127.0.0.1', port, username: undefined, password: undefined };
  const ended = jest.fn();
  const connection = new Connection(loadMemjs(), address as never, options, () => 1000, ended);
  // It is begun by then, but nothing was heard of it.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  const busyUntil = performance.now() + 200;
  while (performance.now() < busyUntil);
  while (!connection.isReady && !connection.hasEnded) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(connection.isReady).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ended).not.toHaveBeenCalled();
  connection.end(new Error('the test is over'));
  server.close();
});
