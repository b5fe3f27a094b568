import { EventEmitter } from 'node:events';
import {
  type PostgresListener,
  PostgresMessages,
} from '../../../src/backends/database/postgres-messages';

class FakeListener extends EventEmitter {
  constructor(readonly connect: () => Promise<void>) {
    super();
  }
  async query() {}
  async end() {}
  unref() {}
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('a connection that broke is told of once, when it stands again', async () => {
  const opened: FakeListener[] = [];
  let isDown = false;
  const messages = new PostgresMessages(() => {
    const isRefused = isDown;
    const listener = new FakeListener(async () => {
      if (isRefused) throw new Error('refused');
    });
    opened.push(listener);
    return listener as unknown as PostgresListener;
  });
  const onGap = jest.fn();
  await messages.listen(['channel'], { onMessage: () => {}, onGap });
  isDown = true;
  opened[0]!.emit('error', new Error('broke'));
  await jest.advanceTimersByTimeAsync(1100);
  expect(opened).toHaveLength(5);
  expect(onGap).not.toHaveBeenCalled();
  isDown = false;
  await jest.advanceTimersByTimeAsync(250);
  expect(onGap).toHaveBeenCalledTimes(1);
  await messages.close();
});
