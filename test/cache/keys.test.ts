import { LocMemCache } from 'cachewright';
import { defaultKeyFunction, keyFaults } from '../../src/cache/keys';
import { runScript } from '../support/child';
import { catchWarnings } from '../support/process-warnings';

describe('the default key', () => {
  test.each([
    ['', 1, ':1:k'],
    ['', 'x', ':x:k'],
    ['prefix', 2, 'prefix:2:k'],
  ])('with prefix "%s" and version %p is %s (KEY-01)', (prefix, version, finalKey) => {
    expect(defaultKeyFunction('k', prefix, version)).toBe(finalKey);
  });

  test('may be replaced, and is then used as it is (KEY-02)', () => {
    const cache = new LocMemCache('', {
      keyPrefix: 'p',
      version: 3,
      keyFunction: (key, keyPrefix, version) => `CUSTOM-${keyPrefix}-${version}-${key}`,
    });
    expect(cache.makeKey('k')).toBe('CUSTOM-p-3-k');
    expect(cache.makeKey('k', 4)).toBe('CUSTOM-p-4-k');
  });

  test.each([42, null, undefined, {}])('takes no %p for a key', (key) => {
    expect(() => new LocMemCache().makeKey(key as string)).toThrow(TypeError);
  });
});

describe('faults of a key', () => {
  test('are found above 250 characters (KEY-13)', () => {
    expect(keyFaults('k'.repeat(250))).toEqual([]);
    const [fault] = keyFaults('k'.repeat(251));
    expect(fault).toContain('250');
    expect(fault).toContain('k'.repeat(251));
  });

  const control = [...Array.from({ length: 33 }, (_, code) => code), 127];

  test.each(control)('are found for the character of code %d, which is shown (KEY-14)', (code) => {
    const key = `a${String.fromCharCode(code)}b`;
    expect(keyFaults(key)).toEqual([expect.stringContaining(JSON.stringify(key))]);
  });

  test('are none for any other character (KEY-14)', () => {
    for (let code = 33; code < 0x3000; code++) {
      if (code !== 127) expect(keyFaults(String.fromCharCode(code))).toEqual([]);
    }
    expect(keyFaults('清')).toEqual([]);
  });

  test('are two for a long key with spaces, one for several spaces (KEY-15)', () => {
    expect(keyFaults('k '.repeat(200))).toHaveLength(2);
    expect(keyFaults('a b c\t')).toHaveLength(1);
  });
});

describe('the warning', () => {
  const warnings = catchWarnings();

  test('is of the final key (KEY-18)', async () => {
    const cache = new LocMemCache('keys');
    await cache.get('k'.repeat(247));
    expect(warnings).toEqual([]);
    await cache.get('k'.repeat(248));
    expect(warnings).toEqual([
      expect.objectContaining({
        name: 'CacheKeyWarning',
        code: 'CACHEWRIGHT_KEY',
        message: expect.stringContaining(`:1:${'k'.repeat(248)}`),
      }),
    ]);
  });

  test.each<[string, (cache: LocMemCache) => Promise<unknown>]>([
    ['get', (cache) => cache.get('a b')],
    ['getMany', (cache) => cache.getMany(['a b'])],
    ['getOrSet', (cache) => cache.getOrSet('a b', 1)],
    ['decr', (cache) => cache.decr('a b').catch(() => {})],
  ])('of %s() points at the code that called it (KEY-21)', async (_name, call) => {
    await call(new LocMemCache('keys'));
    const [, firstFrame] = warnings[0]!.stack.split('\n');
    expect(firstFrame).toContain(__filename);
  });

  test('is a process warning, which an application may silence (CONV-06)', async () => {
    const use = "new cachewright.LocMemCache().set('a b', 1);";
    const watch = `
      process.on('warning', ({ name, code, message }) => {
        console.log(name, code, message.includes('":1:a b"'));
      });
    `;
    const [heard, silenced] = await Promise.all([
      runScript(watch + use),
      runScript(use, ['--disable-warning=CACHEWRIGHT_KEY']),
    ]);
    expect(heard.stdout).toBe('CacheKeyWarning CACHEWRIGHT_KEY true\n');
    expect(heard.stderr).toContain('CacheKeyWarning');
    expect(silenced.stderr).toBe('');
  });
});
