import { setTimeout as delay } from 'node:timers/promises';
import { RedisCache, TieredCache } from 'cachewright';
import type { MessageBus } from '../../../src/cache/message-bus';
import { eventually } from '../../support/eventually';
import { randomFrom } from '../../support/seeded-random';
import { describeWithServer, type RedisServer, startRedis } from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';

const TRUST_MS = 150;
const CHANGES = 32;

/** What becomes of messages on their way. */
interface Mischief {
  /** The share of those that are lost. */
  readonly lost: number;
  /** Milliseconds by which the others are late at most, so that they overtake each other. */
  readonly lateMs: number;
}

let seed = 0;

/** A bus with mischief between it and who listens. */
function spoilt(bus: MessageBus, { lost, lateMs }: Mischief, tally: Tally): MessageBus {
  seed += 1;
  const random = randomFrom(seed);
  return {
    maxBytes: bus.maxBytes,
    say: (channel, text) => bus.say(channel, text),
    close: () => bus.close(),
    listen: (channels, { onMessage, onGap }) => {
      let arrived = 0;
      let newest = 0;
      const hear = (text: string): void => {
        arrived += 1;
        const number = arrived;
        if (random() < lost) {
          tally.lost += 1;
          return;
        }
        const arrive = (): void => {
          if (number < newest) tally.reordered += 1;
          newest = Math.max(newest, number);
          tally.heard += 1;
          onMessage(text);
        };
        // Most are in time, or every change would wait as long as it can.
        if (lateMs === 0 || random() < 0.5) arrive();
        else setTimeout(arrive, random() * lateMs);
      };
      return bus.listen(channels, { onMessage: hear, onGap });
    },
  };
}

interface Tally {
  lost: number;
  reordered: number;
  heard: number;
}

describeWithServer('redis', 'Local tiers over a real Redis', () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await startRedis();
  });
  afterEach(() => server.stop());

  /** Three processes with a local tier, each of which hears badly. */
  function openThree(mischief: Mischief) {
    const tally: Tally = { lost: 0, reordered: 0, heard: 0 };
    class Spoilt extends RedisCache {
      override openMessages() {
        return spoilt(super.openMessages(), mischief, tally);
      }
    }
    const options = { trustMs: TRUST_MS, maxAge: 3600 };
    const tiers = [1, 2, 3].map(
      () => new TieredCache(new Spoilt(server.url, { keyPrefix: 'site' }), { options }, true),
    );
    const close = () => Promise.all(tiers.map((tier) => tier.close()));
    return { tiers, tally, close };
  }

  /** Changes one thing after the other, in whichever process, and looks at it in all of them. */
  async function changeAndLook(tiers: readonly TieredCache[], from: number, to: number) {
    const stale: unknown[] = [];
    let near = 0;
    const look = async (value: number, how: string) => {
      for (const [i, tier] of tiers.entries()) {
        for (let times = 0; times < 3; times += 1) {
          const asked = jest.spyOn(tier.shared, 'getLatest');
          const found = await tier.getOrSet('key', async () => value, 60, { tags: ['tag'] });
          if (asked.mock.calls.length === 0) near += 1;
          asked.mockRestore();
          if (found !== value) stale.push({ how, by: i, found, value });
        }
      }
    };
    for (let value = from; value < to; value += 1) {
      const tier = tiers[value % tiers.length]!;
      const changes: [string, () => Promise<unknown>][] = [
        ['set', () => tier.set('key', value, 60, { tags: ['tag'] })],
        ['delete', () => tier.delete('key')],
        ['purge', () => tier.invalidateTags(['tag'])],
        ['clear', () => tier.clear()],
      ];
      const [how, change] = changes[value % changes.length]!;
      await eventually(change);
      await look(value, how);
    }
    return { stale, near };
  }

  test.each<[string, Mischief, (tally: Tally) => number]>([
    ['come as they are sent', { lost: 0, lateMs: 0 }, ({ heard }) => heard],
    ['are lost', { lost: 0.4, lateMs: 0 }, ({ lost }) => lost],
    ['are late, and out of order', { lost: 0, lateMs: 2 * TRUST_MS }, ({ reordered }) => reordered],
    ['are lost, late and out of order', { lost: 0.3, lateMs: TRUST_MS }, ({ lost }) => lost],
    ['are all lost', { lost: 1, lateMs: 0 }, ({ lost }) => lost],
  ])(
    'whose messages %s: nobody is shown what was changed',
    async (_how, mischief, count) => {
      const { tiers, tally, close } = openThree(mischief);
      await Promise.all(tiers.map((tier) => tier.get('nothing')));
      const { stale, near } = await changeAndLook(tiers, 1, CHANGES);
      await close();
      expect(stale).toEqual([]);
      // Where nothing of this happens, nothing is proved.
      expect(count(tally)).toBeGreaterThan(5);
      expect(near).toBeGreaterThan(CHANGES);
    },
    120_000,
  );

  test.each([
    ['empty', false],
    ['with an old copy of its data', true],
  ])(
    'which is restarted %s: once that is trustMs ago nobody is shown what was before',
    async (_how, isCopied) => {
      const { tiers, close } = openThree({ lost: 0.2, lateMs: TRUST_MS });
      await Promise.all(tiers.map((tier) => tier.get('nothing')));
      const before = await changeAndLook(tiers, 1, 12);
      await tiers[0]!.set('plain', 'copied');
      if (isCopied) await askRedis(server, 'SAVE');
      const meanwhile = await changeAndLook(tiers, 12, 24);
      await tiers[1]!.set('plain', 'lost');
      for (const tier of tiers) {
        expect(await tier.get('key')).toBe(23);
        expect(await tier.get('plain')).toBe('lost');
      }
      await server.restart();
      const restartedAt = performance.now();
      const lookBack = async () => {
        for (const tier of tiers) {
          expect(await tier.get('plain')).toBe(isCopied ? 'copied' : undefined);
          // The counters of its tag may lack a purge.
          expect(await tier.get('key')).toBeUndefined();
        }
      };
      await eventually(lookBack);
      await delay(Math.max(0, restartedAt + TRUST_MS - performance.now()));
      await lookBack();
      const after = await changeAndLook(tiers, 24, 48);
      await close();
      expect([before.stale, meanwhile.stale, after.stale]).toEqual([[], [], []]);
      expect(after.near).toBeGreaterThan(24);
    },
    120_000,
  );
});
