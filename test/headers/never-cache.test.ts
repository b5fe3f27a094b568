import type { IncomingMessage, ServerResponse } from 'node:http';
import { neverCache } from 'cachewright';
import request from 'supertest';
import { formatHttpDate } from '../../src/http/http-date';
import { stopClock } from '../support/clock';
import { describeEachStack, type Step } from '../support/stacks';

type View = (req: IncomingMessage, res: ServerResponse) => unknown;

const NEVER = 'max-age=0, no-cache, no-store, must-revalidate, private';
const clock = stopClock();

describeEachStack((build) => {
  const sent = async (...steps: Step[]) => {
    const { headers } = await request(build([{ path: '/a', steps }])).get('/a');
    return { cacheControl: headers['cache-control'], expires: headers.expires };
  };

  test('forbids every cache, before and around, sync and async (CC-16)', async () => {
    const view: View = (_req, res) => res.end('page');
    const asyncView: View = async (_req, res) => {
      await Promise.resolve();
      res.end('page');
    };
    const expected = { cacheControl: NEVER, expires: formatHttpDate(clock.now()) };
    for (const handler of [view, asyncView]) {
      expect(await sent(neverCache(), handler)).toEqual(expected);
      expect(await sent(neverCache()(handler))).toEqual(expected);
      expect(await sent(neverCache, handler)).toEqual(expected);
      expect(await sent(neverCache(handler))).toEqual(expected);
    }
  });

  test('keeps an Expires of the handler (CC-16)', async () => {
    const view: View = (_req, res) => res.writeHead(200, { expires: 'some day' }).end('page');
    expect(await sent(neverCache(), view)).toEqual({ cacheControl: NEVER, expires: 'some day' });
  });

  test('overrides what the handler allows (CC-17)', async () => {
    const view: View = (_req, res) =>
      res.setHeader('Cache-Control', 'public, max-age=99').end('page');
    expect(await sent(neverCache(), view)).toMatchObject({ cacheControl: NEVER });
  });
});
