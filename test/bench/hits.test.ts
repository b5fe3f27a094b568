import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONTENDERS } from '../../bench/contenders';
import { pageOf } from '../../bench/contenders/page';
import { formatSize, hitsTable, missRate, verify } from '../../bench/hits';
import { turnsOf } from './turns-of';

const BYTES = 2048;
const { body } = pageOf(BYTES);

let server: Server | undefined;

afterEach(() => server?.close());

/** A server that has run its handler as often as `handledOn` says for the number of visits. */
async function open(
  handledOn: (visits: number) => number,
  { sent = body, status = 200 }: { sent?: Buffer; status?: number } = {},
) {
  let visits = 0;
  server = createServer((_req, res) => {
    visits += 1;
    res.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' }).end(sent);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/page/1`, handled: async () => handledOn(visits) };
}

test.each([2048, 40_960, 1_048_576])('a page of %i bytes has as many', (bytes) => {
  const page = pageOf(bytes);
  expect(page.body).toHaveLength(bytes);
  expect(JSON.parse(page.body.toString())).toEqual(page.value);
  expect(page.headers).toContain(String(bytes));
});

describe('before it is measured', () => {
  test('a cache passes that runs its handler once', async () => {
    await expect(verify(CONTENDERS.lruCache, BYTES, await open(() => 1))).resolves.toBeUndefined();
  });

  test('a cache that misses ends the run', async () => {
    await expect(
      verify(CONTENDERS.lruCache, BYTES, await open((visits) => visits)),
    ).rejects.toThrow('lru-cache by hand: the handler ran 3 times, and should have 1 times.');
  });

  test('a server without a cache passes that runs its handler each time', async () => {
    await expect(
      verify(CONTENDERS.floor, BYTES, await open((visits) => visits)),
    ).resolves.toBeUndefined();
    server!.close();
    await expect(verify(CONTENDERS.floor, BYTES, await open(() => 1))).rejects.toThrow(
      'the handler ran',
    );
  });

  test.each([
    ['another page of the same length', { sent: Buffer.alloc(BYTES, 'x') }],
    ['an error', { status: 500 }],
  ])('%s ends the run', async (_what, answer) => {
    await expect(verify(CONTENDERS.lruCache, BYTES, await open(() => 1, answer))).rejects.toThrow(
      'lru-cache by hand: the answer is not the page of 2048 bytes.',
    );
  });
});

test('of a thousand requests, those were no hits for which the handler ran again', async () => {
  expect(await missRate({ handled: async () => 1 }, turnsOf(400, 600))).toBe(0);
  expect(await missRate({ handled: async () => 3 }, turnsOf(400, 600))).toBe(0.002);
});

test('the table compares with the first, and names those that were left out', () => {
  const waiting = turnsOf(50).map((turn) => ({ ...turn, cpuUs: 40_000, busy: 0.5 }));
  const unknown = turnsOf(300).map((turn) => ({ ...turn, cpuUs: undefined, busy: undefined }));
  const { title, rows } = hitsTable({
    bytes: BYTES,
    turns: new Map([
      ['bareNode', turnsOf(100, 100, 400)],
      ['floor', turnsOf(50, 50, 200)],
      ['json', [...waiting, ...waiting, ...waiting]],
      ['nginx', [...unknown, ...unknown, ...unknown]],
    ]),
    missRates: new Map(),
    skipped: new Map([['varnish', 'varnishd is not installed']]),
  });
  expect(title).toBe('Hits of 2 KB');
  expect(rows.map(([, ...cells]) => cells)).toEqual([
    ['100', '1.00*', '10000.0', '1.00 ', '100 %'],
    ['50', '0.50*', '20000.0', '0.50 ', '100 %'],
    ['50', '0.50 ', '40000.0', '0.25*', '50 %'],
    ['300', '3.00*', '–', '–', '–'],
    ['varnishd is not installed', '', '', '', ''],
  ]);
});

test('sizes are in KB and MB', () => {
  expect([2048, 40_960, 1_048_576].map(formatSize)).toEqual(['2 KB', '40 KB', '1 MB']);
});
