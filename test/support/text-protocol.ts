import { connect } from 'node:net';
import type { MemcachedServer } from './servers';

/** What a server answers to a line of the text protocol. */
export function say(server: MemcachedServer, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const { path, port, host } = server;
    const socket = connect(path === undefined ? { port, host } : { path });
    socket.end(`${line}\r\nquit\r\n`);
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}
