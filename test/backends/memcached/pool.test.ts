import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { MemcachedCache } from 'cachewright';

const HEADER_BYTES = 24;
const SASL_AUTH = 0x21;
const NOT_FOUND = 1;

/** A server without entries, which lets users in over as many connections as it is told. */
async function startServer(admitted: number): Promise<{ server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const isAdmitted = sockets.size <= admitted;
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= HEADER_BYTES) {
        const end = HEADER_BYTES + bytes.readUInt32BE(8);
        if (bytes.length < end) return;
        const isAuth = bytes[1] === SASL_AUTH;
        if (!isAuth || isAdmitted) socket.write(answerTo(bytes, isAuth ? 0 : NOT_FOUND));
        bytes = bytes.subarray(end);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, sockets };
}

function answerTo(request: Buffer, status: number): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES);
  answer[0] = 0x81;
  answer[1] = request[1]!;
  answer.writeUInt16BE(status, 6);
  request.copy(answer, 12, 12, 16);
  return answer;
}

test('nobody waits for a second connection while the first one stands', async () => {
  const { server, sockets } = await startServer(1);
  const { port } = server.address() as AddressInfo;
  const cache = new MemcachedCache(`user:secret@127.0.0.1:${port}`);
  try {
    expect(await cache.get('first', 'miss')).toBe('miss');
    const keys = ['one', 'two', 'three', 'four'];
    const found = await Promise.all(keys.map((key) => cache.get(key, 'miss')));
    expect(found).toEqual(keys.map(() => 'miss'));
    // It was opened all the same.
    while (sockets.size < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  } finally {
    await cache.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
