import { KeyQueue } from '../../src/cache/key-queue';
import { runScript } from '../support/child';
import { settled } from '../support/settled';

test('work on one key runs in its order, one at a time', async () => {
  const queue = new KeyQueue();
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await settled();
    steps.push(`${name} ends`);
    return name;
  };
  const names = await Promise.all([
    queue.run('key', work('one')),
    queue.run('key', work('two')),
    queue.run('key', work('three')),
  ]);
  expect(names).toEqual(['one', 'two', 'three']);
  expect(steps).toEqual([
    'one begins',
    'one ends',
    'two begins',
    'two ends',
    'three begins',
    'three ends',
  ]);
});

test('work on another key does not wait', async () => {
  const queue = new KeyQueue();
  let finish!: () => void;
  const first = queue.run('one', () => new Promise<void>((resolve) => (finish = resolve)));
  expect(await queue.run('two', async () => 'done')).toBe('done');
  finish();
  await first;
});

test('work that fails holds up none that follows', async () => {
  const queue = new KeyQueue();
  const outcomes = await Promise.allSettled([
    queue.run('key', async () => Promise.reject(new Error('failed'))),
    queue.run('key', async () => 'next'),
  ]);
  expect(outcomes).toMatchObject([
    { status: 'rejected', reason: { message: 'failed' } },
    { status: 'fulfilled', value: 'next' },
  ]);
  expect(await queue.run('key', async () => 'later')).toBe('later');
});

test('a key is forgotten once its work is done', async () => {
  const { stdout } = await runScript(
    `
    const { KeyQueue } = require('./src/cache/key-queue.ts');
    const usedMegabytes = () => (global.gc(), process.memoryUsage().heapUsed / 1e6);
    (async () => {
      const queue = new KeyQueue();
      const before = usedMegabytes();
      for (let i = 0; i < 200_000; i++) await queue.run('key ' + i, async () => i);
      const after = usedMegabytes();
      console.log(after - before);
      await queue.run('key', async () => 1);
    })();
    `,
    ['--expose-gc'],
  );
  expect(Number(stdout)).toBeLessThan(5);
});
