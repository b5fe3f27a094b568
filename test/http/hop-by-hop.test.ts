import fc from 'fast-check';
import { hopByHopFields } from '../../src/http/hop-by-hop';

describe('hopByHopFields() (RFC 9111 §3.1)', () => {
  test.each([
    [undefined, 'connection', true],
    [undefined, 'keep-alive', true],
    [undefined, 'transfer-encoding', true],
    [undefined, 'proxy-authenticate', true],
    [undefined, 'content-length', false],
    [undefined, 'x-a', false],
    ['close', 'close', true],
    ['keep-alive, X-A', 'x-a', true],
    ['X-A', 'x-ab', false],
    [['close', ' x-a ,X-B'], 'x-b', true],
    ['', '', true],
  ])('with Connection %j, %s: %s', (connection, name, expected) => {
    expect(hopByHopFields(connection)(name)).toBe(expected);
  });

  test('names what Connection names, whatever that is', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (names) => {
        const isHopByHop = hopByHopFields(names.join());
        for (const name of names.join().split(',')) {
          expect(isHopByHop(name.trim().toLowerCase())).toBe(true);
        }
      }),
    );
  });
});
