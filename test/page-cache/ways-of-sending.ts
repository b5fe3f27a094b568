import { createReadStream } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A file of some size whose bytes are known: this one's neighbour in every installation. */
export const SOME_FILE = require.resolve('vary/README.md');

const TEXT = 'Grüße, 世界! '.repeat(200);
const BYTES = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256));

/** Ways to write a response that plain Node offers, on HTTP/1 and the HTTP/2 API alike. */
export const WAYS: Record<string, (res: ServerResponse) => unknown> = {
  'end(string)': (res) => res.end(TEXT),
  'end(Buffer)': (res) => res.end(BYTES),
  'end(Uint8Array)': (res) => res.end(new Uint8Array(BYTES)),
  'end(string, encoding, callback)': (res) => res.end('ab'.repeat(900), 'hex', () => {}),
  'end() alone': (res) => res.end(),
  'write and end with encodings': (res) => {
    res.write('Zm9vYmFy'.repeat(300), 'base64');
    res.write('gr\u00fc\u00dfe', 'latin1');
    res.write(TEXT, 'utf16le', () => {});
    res.end('ende', 'ascii');
  },
  'write with Buffers and Uint8Arrays': (res) => {
    res.write(BYTES);
    res.write(new Uint8Array(BYTES.subarray(0, 99)), () => {});
    res.end(BYTES.subarray(7));
  },
  'write with one Buffer used again and again': async (res) => {
    const buffer = Buffer.alloc(500);
    for (let i = 0; i < 5; i++) {
      buffer.fill(65 + i);
      await new Promise<void>((resolve) => {
        res.write(buffer, () => resolve());
      });
    }
    res.end(buffer);
  },
  'writeHead(object)': (res) => {
    res.writeHead(200, { 'X-One': '1', 'Content-Type': 'text/plain', 'X-Many': ['a', 'b'] });
    res.end(TEXT);
  },
  'writeHead(reason, object)': (res) => {
    if ('stream' in res) res.writeHead(200, { 'X-One': '1' });
    else res.writeHead(200, 'Quite Fine', { 'X-One': '1' });
    res.end(TEXT);
  },
  'writeHead(flat array with a repeated name)': (res) => {
    res.writeHead(200, ['X-One', '1', 'Link', '</a>', 'X-Two', '2', 'Link', '</b>']);
    res.end(TEXT);
  },
  'writeHead(array of pairs)': (res) => {
    const pairs = [
      ['X-One', '1'],
      ['Link', '</a>'],
      ['Link', '</b>'],
    ];
    res.writeHead(200, pairs as never);
    res.end(TEXT);
  },
  'setHeader, overridden by writeHead': (res) => {
    res.setHeader('X-Kept', 'kept');
    res.setHeader('X-One', 'lost');
    res.writeHead(200, { 'X-One': 'won' });
    res.write(BYTES);
    res.end();
  },
  'setHeader with a list and appendHeader': (res) => {
    res.setHeader('Link', ['</a>', '</b>']);
    res.appendHeader('Link', '</c>');
    res.end(TEXT);
  },
  'setHeaders(Map)': (res) => {
    const fields = new Map([
      ['X-One', '1'],
      ['Content-Type', 'text/plain'],
    ]);
    if (typeof res.setHeaders === 'function') res.setHeaders(fields);
    else for (const [name, value] of fields) (res as ServerResponse).setHeader(name, value);
    res.end(TEXT);
  },
  'Content-Length of its own and several writes': (res) => {
    res.setHeader('Content-Length', String(BYTES.length));
    res.write(BYTES.subarray(0, 10));
    res.end(BYTES.subarray(10));
  },
  'flushHeaders and late writes': async (res) => {
    res.setHeader('X-One', '1');
    res.flushHeaders();
    await new Promise((resolve) => setImmediate(resolve));
    res.write('late ');
    await new Promise((resolve) => setImmediate(resolve));
    res.end(TEXT);
  },
  'pipe of a file': (res) => {
    res.setHeader('Content-Type', 'text/markdown');
    createReadStream(SOME_FILE, { highWaterMark: 512 }).pipe(res);
  },
  'pipeline of a generator': (res) => {
    const parts = Array.from({ length: 50 }, (_, i) => `part ${i} ${'x'.repeat(i)}\n`);
    return pipeline(Readable.from(parts), res);
  },
  'a body over many packets': (res) => {
    res.setHeader('Content-Type', 'text/plain');
    res.end('0123456789'.repeat(40_000));
  },
};
