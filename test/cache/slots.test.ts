import { Slots } from '../../src/cache/slots';
import { settled } from '../support/settled';

test('lets no more run than there are slots, in the order they came', async () => {
  const slots = new Slots(3);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const work = (name: number) => async () => {
    begun.push(name);
    most = Math.max(most, ++running);
    await settled();
    running -= 1;
    if (name % 5 === 0) throw new Error(`${name} failed`);
    return name;
  };
  const names = Array.from({ length: 20 }, (_, i) => i);
  const outcomes = await Promise.allSettled(names.map((name) => slots.run(work(name))));
  expect(begun).toEqual(names);
  expect(most).toBe(3);
  expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
    names.map((name) => name % 5 === 0),
  );
});

test('all are free again when all is done', async () => {
  const slots = new Slots(2);
  for (let round = 0; round < 3; round++) {
    const finish: (() => void)[] = [];
    const work = () => new Promise<void>((resolve) => finish.push(resolve));
    const all = [slots.run(work), slots.run(work), slots.run(work)];
    await settled();
    expect(finish).toHaveLength(2);
    finish[0]!();
    await settled();
    expect(finish).toHaveLength(3);
    for (const end of finish) end();
    await Promise.all(all);
  }
});
