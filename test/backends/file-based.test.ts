import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FileBasedCache, type FileBasedOptions } from 'cachewright';
import { touchEntryFile } from '../../src/backends/entry-file';
import { packEntry } from '../../src/backends/file-format';
import { stopClock } from '../support/clock';
import { catchWarnings } from '../support/process-warnings';
import { tempDirectories } from '../support/temp-directory';
import { describeCacheContract } from './contract';

const clock = stopClock();
const makeDirectory = tempDirectories();
const warnings = catchWarnings();

let contractDirectory: string;
beforeAll(() => {
  contractDirectory = makeDirectory();
});

describeCacheContract('FileBasedCache', (params) => new FileBasedCache(contractDirectory, params), {
  advance: clock.advance,
  incrKeepsTimeout: false,
});

let directory: string;
beforeEach(() => {
  directory = makeDirectory();
});
afterEach(() => jest.restoreAllMocks());

function openCache(options: FileBasedOptions = {}): FileBasedCache {
  return new FileBasedCache(directory, { options });
}

/**
 * A backend on the same directory as another process would have it: this module is loaded anew,
 * so that it shares neither counts nor turns.
 */
function openElsewhere(options: FileBasedOptions = {}): FileBasedCache {
  let cache: FileBasedCache | undefined;
  jest.isolateModules(() => {
    const elsewhere = require('cachewright') as typeof import('cachewright');
    cache = new elsewhere.FileBasedCache(directory, { options });
  });
  return cache!;
}

/** Where the entry of a key without prefix, at version 1, is. */
function pathOf(key: string): string {
  const name = createHash('md5').update(`:1:${key}`).digest('hex');
  return join(directory, name.slice(0, 2), `${name}.cachewright`);
}

/** Paths of all files, from the directory. */
function files(): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('files', () => {
  test('are one a key, named after the MD5 of the final key (FILE-01)', async () => {
    const cache = openCache();
    await cache.set('key', 1);
    await cache.set('key', 2);
    await cache.set('../any/\\key: *?"<>|\u0000', 1);
    expect(files()).toHaveLength(2);
    expect(existsSync(pathOf('key'))).toBe(true);
    for (const file of files()) {
      expect(basename(file)).toMatch(/^[0-9a-f]{32}\.cachewright$/);
      expect(dirname(file)).toBe(basename(file).slice(0, 2));
    }
  });

  test('come with their directory, also once that was deleted (FILE-02)', async () => {
    directory = join(directory, 'not', 'yet');
    const cache = openCache();
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.delete('key')).toBe(false);
    await cache.clear();
    expect(existsSync(directory)).toBe(false);
    await cache.set('key', 'foo');
    expect(await cache.get('key')).toBe('foo');
    rmSync(directory, { recursive: true });
    expect(await cache.get('key')).toBeUndefined();
    await cache.set('key', 'bar');
    expect(await cache.get('key')).toBe('bar');
    rmSync(directory, { recursive: true });
    expect(await cache.add('key', 'baz')).toBe(true);
    expect(await cache.get('key')).toBe('baz');
  });

  test('survive a directory that vanishes while they are written (FILE-02)', async () => {
    const cache = openCache();
    const { rename } = fs;
    jest.spyOn(fs, 'rename').mockImplementationOnce((from, to) => {
      rmSync(directory, { recursive: true });
      return rename(from, to);
    });
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
  });

  test.each([0o000, 0o022, 0o077, 0o277, 0o777])(
    'are for their owner alone, as are directories, under umask %o (FILE-03, FILE-04, FILE-05)',
    async (umask) => {
      const top = directory;
      directory = join(top, 'some', 'parents', 'cache');
      const before = process.umask(umask);
      const spy = jest.spyOn(process, 'umask');
      try {
        const cache = openCache();
        await cache.set('set', 1);
        await cache.add('added', 1);
        await cache.incr('added');
        await cache.touch('set', 10);
        expect(spy).not.toHaveBeenCalled();
      } finally {
        spy.mockRestore();
        expect(process.umask(before)).toBe(umask);
      }
      const made = ['some', 'some/parents', 'some/parents/cache'].map((path) => join(top, path));
      for (const path of [...made, dirname(pathOf('set'))]) expect(modeOf(path)).toBe('700');
      expect(modeOf(pathOf('set'))).toBe('600');
      expect(modeOf(pathOf('added'))).toBe('600');
    },
  );

  test('are so from the beginning, not only once they are complete (FILE-03, FILE-05)', async () => {
    directory = join(directory, 'some', 'cache');
    const mkdirs = jest.spyOn(fs, 'mkdir');
    const opens = jest.spyOn(fs, 'open');
    await openCache().set('key', 1);
    expect(mkdirs.mock.calls.map(([, mode]) => mode)).toEqual(mkdirs.mock.calls.map(() => 0o700));
    expect(mkdirs.mock.calls.length).toBeGreaterThanOrEqual(3);
    const writes = opens.mock.calls.filter(([, flags]) => flags !== 'r');
    expect(writes.length).toBeGreaterThan(0);
    for (const [, flags, mode] of writes) expect([flags, mode]).toEqual(['wx', 0o600]);
  });

  test('leave a directory that was there as it was (FILE-03)', async () => {
    await fs.chmod(directory, 0o755);
    await openCache().set('key', 'value');
    expect(modeOf(directory)).toBe('755');
  });

  test.each(['open', 'rename'] as const)(
    'of a failed write are removed, and the old entry stays (FILE-05): %s',
    async (step) => {
      const cache = openCache();
      await cache.set('key', 'old');
      const before = files();
      const fault = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      const spy = jest.spyOn(fs, step);
      if (step === 'rename') spy.mockRejectedValueOnce(fault);
      else spy.mockImplementationOnce(failingToWrite(fault) as never);
      await expect(cache.set('key', 'new')).rejects.toBe(fault);
      expect(files()).toEqual(before);
      expect(await cache.get('key')).toBe('old');
      await cache.set('key', 'next');
      expect(await cache.get('key')).toBe('next');
    },
  );

  test('of a failed add() are removed (FILE-05)', async () => {
    const fault = Object.assign(new Error('quota exceeded'), { code: 'EDQUOT' });
    jest.spyOn(fs, 'link').mockRejectedValueOnce(fault);
    const cache = openCache();
    await expect(cache.add('key', 'value')).rejects.toBe(fault);
    expect(files()).toEqual([]);
  });

  test('of others are left alone by clear(), as is the directory (FILE-06)', async () => {
    const cache = openCache();
    await cache.setMany({ a: 1, b: 2 });
    const theirs = ['notes.txt', 'entry.djcache', 'ab', join('cd', 'notes.txt'), join('cd.d', 'x')];
    for (const file of theirs) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), 'mine');
    }
    await cache.clear();
    expect(files().sort()).toEqual([...theirs].sort());
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
  });

  test('of processes that died are swept once they are an hour old', async () => {
    const cache = openCache();
    await cache.set('key', 1);
    const shard = dirname(pathOf('key'));
    const [abandoned, inUse] = ['a', 'b'].map((name) => join(shard, `${name}.cachewright-temp`));
    writeFileSync(abandoned!, '');
    writeFileSync(inUse!, '');
    utimesSync(abandoned!, clock.now() / 1000 - 3601, clock.now() / 1000 - 3601);
    utimesSync(inUse!, clock.now() / 1000 - 3599, clock.now() / 1000 - 3599);
    await openElsewhere().set('key', 2);
    expect(existsSync(abandoned!)).toBe(false);
    expect(existsSync(inUse!)).toBe(true);
  });
});

/** An `open()` whose handle writes half of what it is given, then fails. */
function failingToWrite(fault: Error) {
  const { open } = fs;
  return async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    jest.spyOn(handle, 'writeFile').mockImplementationOnce(async (data) => {
      await handle.write((data as Buffer).subarray(0, 20));
      throw fault;
    });
    return handle;
  };
}

describe('reading', () => {
  test('a file deleted behind the cache is a miss (FILE-07, FILE-12, FILE-13)', async () => {
    const cache = openCache();
    for (const key of ['get', 'has', 'touch', 'delete']) {
      await cache.set(key, 'value');
      unlinkSync(pathOf(key));
    }
    expect(await cache.get('get', 'fallback')).toBe('fallback');
    expect(await cache.hasKey('has')).toBe(false);
    expect(await cache.touch('touch')).toBe(false);
    expect(await cache.delete('delete')).toBe(false);
  });

  test('any other failure to read is reported (FILE-07)', async () => {
    const cache = openCache();
    mkdirSync(pathOf('key'), { recursive: true });
    await expect(cache.get('key')).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(cache.hasKey('key')).rejects.toMatchObject({ code: 'EISDIR' });
    const fault = Object.assign(new Error('I/O error'), { code: 'EIO' });
    jest.spyOn(fs, 'open').mockRejectedValueOnce(fault);
    await expect(cache.get('other')).rejects.toBe(fault);
  });

  test.each(['get', 'hasKey'] as const)('%s() opens one file once (FILE-12)', async (method) => {
    const cache = openCache();
    await cache.set('key', 'value');
    const open = jest.spyOn(fs, 'open');
    for (const call of ['access', 'stat', 'lstat'] as const) jest.spyOn(fs, call);
    await cache[method]('key');
    expect(open.mock.calls.map(([path]) => path)).toEqual([pathOf('key')]);
    expect(fs.access).not.toHaveBeenCalled();
    expect(fs.stat).not.toHaveBeenCalled();
    expect(fs.lstat).not.toHaveBeenCalled();
  });

  test('of two who delete(), one is told it did (FILE-13)', async () => {
    const cache = openCache();
    const other = openElsewhere();
    await cache.set('key', 'value');
    const answers = await Promise.all([cache.delete('key'), other.delete('key')]);
    expect(answers.sort()).toEqual([false, true]);
  });

  test('an empty file is expired, and removed (FILE-08)', async () => {
    const cache = openCache();
    await cache.set('key', 'value');
    writeFileSync(pathOf('key'), '');
    expect(await cache.get('key', 'fallback')).toBe('fallback');
    expect(existsSync(pathOf('key'))).toBe(false);
    mkdirSync(dirname(pathOf('key')), { recursive: true });
    writeFileSync(pathOf('key'), '');
    expect(await cache.hasKey('key')).toBe(false);
    writeFileSync(pathOf('key'), '');
    expect(await cache.add('key', 'added')).toBe(true);
    expect(await cache.get('key')).toBe('added');
  });

  describe('a file that is not as it was written', () => {
    const value = { list: [1, 2, 3], text: 'of some length' };
    let whole: Buffer;

    async function readBack(bytes: Buffer, cache = openCache()): Promise<unknown> {
      mkdirSync(dirname(pathOf('key')), { recursive: true });
      writeFileSync(pathOf('key'), bytes);
      return cache.get('key', 'fallback');
    }

    beforeEach(async () => {
      await openCache().set('key', value);
      whole = readFileSync(pathOf('key'));
    });

    test('is a miss when truncated anywhere, or longer (FILE-10)', async () => {
      expect(await readBack(whole)).toEqual(value);
      for (let length = 0; length < whole.length; length++) {
        expect(await readBack(whole.subarray(0, length))).toBe('fallback');
      }
      expect(await readBack(Buffer.concat([whole, Buffer.alloc(1)]))).toBe('fallback');
      expect(await readBack(Buffer.concat([whole, Buffer.alloc(100_000)]))).toBe('fallback');
    });

    test('is a miss, or the very value, with any byte changed (FILE-10)', async () => {
      let misses = 0;
      for (let i = 0; i < whole.length; i++) {
        const damaged = Buffer.from(whole);
        damaged[i]! ^= 0xff;
        const found = await readBack(damaged);
        if (found === 'fallback') misses += 1;
        // Eight bytes are the expiry, which touch() changes in place.
        else expect([found, i >= 8 && i < 16]).toEqual([value, true]);
      }
      expect(misses).toBeGreaterThanOrEqual(whole.length - 8);
    });

    test.each<[string, (whole: Buffer) => Buffer]>([
      ['zeros, as after a crash', (file) => Buffer.alloc(file.length)],
      ['a head and zeros', (file) => Buffer.from(file).fill(0, 44)],
      ['text', () => Buffer.from('#!/bin/sh\necho hello\n'.repeat(10))],
      ['noise', () => createHash('sha512').update('seed').digest()],
      ['much noise', () => Buffer.alloc(100_000, createHash('sha512').update('seed').digest())],
      [
        'an expiry that is no number',
        (file) => {
          const odd = Buffer.from(file);
          odd.writeDoubleLE(Number.NaN, 8);
          return odd;
        },
      ],
      ['a pickle', () => Buffer.from('\x80\x04\x95K\x00\x00\x00\x00\x00\x00\x00.', 'latin1')],
      [
        'the promise of gigabytes',
        (file) => {
          const promising = Buffer.from(file);
          promising.writeDoubleLE(2 ** 40, 16);
          return promising;
        },
      ],
    ])('is a miss if it holds %s, and removed (FILE-10)', async (_name, damage) => {
      expect(await readBack(damage(whole))).toBe('fallback');
      expect(existsSync(pathOf('key'))).toBe(false);
    });

    test('is a miss if the serializer cannot read it, and not removed (FILE-10)', async () => {
      const json = openCache({ serializer: 'json' });
      expect(await json.get('key', 'fallback')).toBe('fallback');
      expect(await json.hasKey('key')).toBe(false);
      expect(await openCache().get('key')).toEqual(value);
      expect(await json.add('key', 'added')).toBe(true);
      expect(await json.get('key')).toBe('added');
    });
  });

  test('an entry is found under its own key only, should two share a file name (FILE-01)', async () => {
    const cache = openCache();
    await cache.set('theirs', 'secret');
    const collide = () => {
      mkdirSync(dirname(pathOf('ours')), { recursive: true });
      writeFileSync(pathOf('ours'), readFileSync(pathOf('theirs')));
    };
    collide();
    expect(await cache.get('ours', 'fallback')).toBe('fallback');
    expect(await cache.hasKey('ours')).toBe(false);
    expect(await cache.touch('ours')).toBe(false);
    await expect(cache.incr('ours')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND' });
    // It is somebody's, and live.
    expect(existsSync(pathOf('ours'))).toBe(true);
    expect(await cache.add('ours', 1)).toBe(true);
    expect(await cache.get('ours')).toBe(1);
    collide();
    await cache.set('ours', 2);
    expect(await cache.get('ours')).toBe(2);
  });

  test('keys that have no form in UTF-8 are told apart', async () => {
    const cache = openCache();
    await cache.set('\ud800', 'high');
    expect(await cache.get('\ud800')).toBe('high');
    expect(await cache.get('\ud801')).toBeUndefined();
    expect(await cache.get('\ufffd')).toBeUndefined();
  });

  // A file is read at once up to 16 KiB.
  test.each([16_000, 16_300, 16_320, 16_325, 16_340, 16_384, 16_400, 1_000_000])(
    'a value of %d bytes comes back whole',
    async (length) => {
      const cache = openCache();
      for (let more = 0; more < 20; more++) {
        const value = Buffer.alloc(length + more, 'abc');
        await cache.set('key', value);
        expect(value.equals((await cache.get<Buffer>('key'))!)).toBe(true);
      }
    },
  );

  test('a small value does not keep a large buffer alive', async () => {
    const cache = openCache();
    await cache.set('key', Buffer.from('small'));
    const found = await cache.get<Buffer>('key');
    expect(found!.buffer.byteLength).toBeLessThan(200);
  });

  test('many reads at a time open 64 files at most', async () => {
    const cache = openCache({ maxEntries: 1e6 });
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key, i) => cache.set(key, i)));
    let isOpen = 0;
    let most = 0;
    const { open } = fs;
    jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
      most = Math.max(most, ++isOpen);
      const handle = await open(...args);
      const { close } = handle;
      handle.close = () => {
        isOpen -= 1;
        return close.call(handle);
      };
      return handle;
    });
    const found = await cache.getMany(keys);
    expect(Object.values(found)).toEqual(keys.map((_, i) => i));
    expect(most).toBeLessThanOrEqual(64);
    expect(isOpen).toBe(0);
  });
});

describe('expiry', () => {
  test('an entry is still there at the very instant (TMO-09)', async () => {
    const cache = openCache();
    await cache.set('key', 'value', 1);
    clock.advance(1);
    expect(await cache.get('key')).toBe('value');
    clock.advance(0.001);
    expect(await cache.get('key')).toBeUndefined();
  });

  test.each<[string, (cache: FileBasedCache) => Promise<unknown>]>([
    ['get', (cache) => cache.get('key')],
    ['hasKey', (cache) => cache.hasKey('key')],
    ['touch', (cache) => cache.touch('key')],
    ['incr', (cache) => cache.incr('key').catch(() => {})],
  ])('%s() deletes a file it finds expired (FILE-11)', async (_name, meet) => {
    const cache = openCache();
    await cache.set('key', 1, 1);
    await cache.set('other', 1, 1);
    clock.advance(2);
    await meet(cache);
    expect(existsSync(pathOf('key'))).toBe(false);
    expect(existsSync(pathOf('other'))).toBe(true);
  });

  test('never is a mark of its own, no date (FILE-17)', async () => {
    const cache = openCache();
    await cache.set('set', 'value', null);
    await cache.set('touched', 'value', 1);
    await cache.touch('touched', null);
    for (const key of ['set', 'touched']) {
      expect(readFileSync(pathOf(key)).readDoubleLE(8)).toBe(Number.POSITIVE_INFINITY);
    }
    clock.advance(1e11);
    expect(await cache.getMany(['set', 'touched'])).toEqual({ set: 'value', touched: 'value' });
  });

  test('a live entry that another process just wrote is not removed as expired', async () => {
    const cache = openCache();
    const other = openElsewhere();
    await cache.set('key', 'old', 1);
    clock.advance(2);
    const { rename } = fs;
    // The other one writes after the file was found expired, before it is moved aside.
    jest.spyOn(fs, 'rename').mockImplementationOnce(async (from, to) => {
      await other.set('key', 'new');
      return rename(from, to);
    });
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.get('key')).toBe('new');
    expect(files()).toEqual([relative(directory, pathOf('key'))]);
  });

  test('nor is one that was written while that was found out', async () => {
    const cache = openCache();
    const other = openElsewhere();
    await cache.set('key', 'old', 1);
    clock.advance(2);
    const { rename, link } = fs;
    jest.spyOn(fs, 'rename').mockImplementationOnce(async (from, to) => {
      await other.set('key', 'new');
      return rename(from, to);
    });
    jest.spyOn(fs, 'link').mockImplementationOnce(async (from, to) => {
      await other.set('key', 'newer');
      return link(from, to);
    });
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.get('key')).toBe('newer');
    expect(files()).toEqual([relative(directory, pathOf('key'))]);
  });

  test('nor is one that this process wrote while a read was under way', async () => {
    const cache = openCache();
    await cache.set('key', 'old', 1);
    clock.advance(2);
    const rename = jest.spyOn(fs, 'rename');
    const [found] = await Promise.all([cache.get('key'), cache.set('key', 'new')]);
    expect([undefined, 'new']).toContain(found);
    expect(await cache.get('key')).toBe('new');
    // It was not even moved aside for a moment.
    expect(rename.mock.calls.map(([from]) => from)).not.toContain(pathOf('key'));
  });

  test('nor does this process write while one is moved aside', async () => {
    const cache = openCache();
    await cache.set('key', 'old', 1);
    clock.advance(2);
    let isSet = false;
    let setting: Promise<unknown> | undefined;
    const { rename } = fs;
    jest.spyOn(fs, 'rename').mockImplementationOnce(async (from, to) => {
      setting = cache.set('key', 'new').then(() => {
        isSet = true;
      });
      // Far more of the disk than a write asks for.
      for (let i = 0; i < 50; i++) await fs.stat(directory);
      expect(isSet).toBe(false);
      return rename(from, to);
    });
    await cache.get('key');
    await setting;
    expect(await cache.get('key')).toBe('new');
  });
});

describe('touch()', () => {
  test('leaves an entry alone that took the place of the one it read (FILE-14)', async () => {
    const cache = openCache();
    await cache.set('key', 'old', 10);
    const replacement = `${pathOf('key')}.new`;
    writeFileSync(replacement, packEntry(':1:key', clock.now() + 5000, Buffer.from('42')));
    const found = await touchEntryFile(pathOf('key'), clock.now() + 99_000, () => {
      renameSync(replacement, pathOf('key'));
      return true;
    });
    expect(found).toMatchObject({ expiresAt: clock.now() + 10_000 });
    expect(await cache.get('key')).toBe(42);
    clock.advance(6);
    expect(await cache.get('key')).toBeUndefined();
  });

  test('does not write the value again (FILE-14)', async () => {
    const cache = openCache();
    await cache.set('key', Buffer.alloc(50_000, 'x'), 1);
    const { ino } = statSync(pathOf('key'));
    expect(await cache.touch('key', 100)).toBe(true);
    expect(statSync(pathOf('key')).ino).toBe(ino);
    clock.advance(50);
    expect(await cache.get('key')).toEqual(Buffer.alloc(50_000, 'x'));
  });
});

describe('several processes', () => {
  test('see what the others wrote, changed and removed', async () => {
    const cache = openCache();
    const other = openElsewhere();
    await cache.set('key', 'value');
    expect(await other.get('key')).toBe('value');
    await other.touch('key', 10);
    clock.advance(11);
    expect(await cache.get('key')).toBeUndefined();
    await other.set('key', 'new');
    await cache.clear();
    expect(await other.get('key')).toBeUndefined();
  });

  test('that add() at the same time: one succeeds (FILE-15)', async () => {
    const caches = [openCache(), openElsewhere(), openElsewhere()];
    for (let round = 0; round < 30; round++) {
      const key = `k${round}`;
      // Every other time there is an expired file in the way.
      if (round % 2 === 1) {
        await caches[0]!.set(key, 'expired', 1);
        clock.advance(2);
      }
      const answers = await Promise.all(caches.map((cache, i) => cache.add(key, i)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await caches[0]!.get(key)).toBe(answers.indexOf(true));
    }
  });

  test('add() is exclusive where files cannot have two names (FILE-15)', async () => {
    const fault = Object.assign(new Error('no links here'), { code: 'ENOTSUP' });
    jest.spyOn(fs, 'link').mockRejectedValue(fault);
    const cache = openCache();
    expect(await cache.add('key', 'first')).toBe(true);
    expect(modeOf(pathOf('key'))).toBe('600');
    expect(await cache.add('key', 'second')).toBe(false);
    expect(await cache.get('key')).toBe('first');
    const { open } = fs;
    jest.spyOn(fs, 'open').mockImplementationOnce(async (path, flags) => {
      // The look before the write finds nothing, the write finds it taken.
      const error = Object.assign(new Error('not there yet'), { code: 'ENOENT' });
      return path === pathOf('key') ? Promise.reject(error) : open(path, flags);
    });
    expect(await cache.add('key', 'third')).toBe(false);
    expect(await cache.get('key')).toBe('first');
    expect(files()).toHaveLength(1);
  });
});

describe('culling', () => {
  /** Files of other processes' entries, which this one did not count. */
  function strew(count: number): void {
    for (let i = 0; i < count; i++) {
      const name = createHash('md5').update(`strewn ${i}`).digest('hex');
      mkdirSync(join(directory, name.slice(0, 2)), { recursive: true });
      writeFileSync(join(directory, name.slice(0, 2), `${name}.cachewright`), '');
    }
  }

  async function fill(cache: FileBasedCache, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await cache.set(`k${i}`, i);
  }

  test('starts when the limit is reached, also by a write over an entry (CULL-04)', async () => {
    const cache = openCache({ maxEntries: 9 });
    await fill(cache, 9);
    expect(files()).toHaveLength(9);
    await cache.set('k8', 1);
    expect([6, 7]).toContain(files().length);
    expect(await cache.get('k8')).toBe(1);
  });

  test('removes one in cullFrequency, rounded down (CULL-05)', async () => {
    const cache = openCache({ maxEntries: 10, cullFrequency: 4 });
    await fill(cache, 11);
    expect(files()).toHaveLength(9);
  });

  test('removes at random (CULL-05)', async () => {
    const survivors = new Set<string>();
    for (let round = 0; round < 10; round++) {
      directory = makeDirectory();
      await fill(openCache({ maxEntries: 10 }), 11);
      survivors.add(files().sort().join());
    }
    expect(survivors.size).toBeGreaterThan(1);
  });

  test('counts what was there before, and what is deleted, expired or cleared', async () => {
    strew(20);
    const cache = openCache({ maxEntries: 30, cullFrequency: 0 });
    await fill(cache, 10);
    expect(files()).toHaveLength(30);
    await cache.delete('k0');
    await cache.set('k0', 0);
    await cache.delete('k0');
    await cache.touch('k1', -1);
    await cache.set('k2', 0, 0);
    await cache.set('k3', 0, 1);
    clock.advance(2);
    await cache.get('k3');
    await cache.add('k3', 0);
    await cache.add('k3', 0);
    expect(files()).toHaveLength(27);
    await cache.setMany({ k0: 0, k1: 0, k2: 0 });
    expect(files()).toHaveLength(30);
    await cache.set('more', 0);
    expect(files()).toHaveLength(1);
    await fill(cache, 29);
    await cache.clear();
    await fill(cache, 30);
    expect(files()).toHaveLength(30);
  });

  test('two backends on one directory count together', async () => {
    const [one, two] = [openCache({ maxEntries: 30 }), openCache({ maxEntries: 30 })];
    for (let i = 0; i < 30; i++) await (i % 2 ? one : two).set(`k${i}`, i);
    expect(files()).toHaveLength(30);
    await two.set('more', 0);
    expect(files()).toHaveLength(21);
  });

  test('does not list the files on every write (FILE-09)', async () => {
    const cache = openCache({ maxEntries: 1000 });
    await cache.set('first', 1);
    const readdir = jest.spyOn(fs, 'readdir');
    await fill(cache, 200);
    expect(readdir).not.toHaveBeenCalled();
  });

  test('finds out now and then what other processes wrote', async () => {
    const cache = openCache({ maxEntries: 100 });
    await cache.set('first', 1);
    strew(300);
    for (let i = 0; i < 1010; i++) await cache.set('same', i);
    expect(files().length).toBeLessThan(100);
  });

  test('bears it that other processes removed what it had counted', async () => {
    const cache = openCache({ maxEntries: 30 });
    await fill(cache, 30);
    await openElsewhere().clear();
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
    await fill(cache, 29);
    expect(files()).toHaveLength(30);
  });

  test('a large store is culled over several writes, a thousand files at most in each', async () => {
    strew(3600);
    const cache = openCache({ maxEntries: 3600 });
    const left: number[] = [];
    for (let i = 0; i < 4; i++) {
      await cache.set(`k${i}`, i);
      left.push(files().length);
    }
    expect(left).toEqual([2601, 2402, 2403, 2404]);
  });

  test('lists only as many directories as it removes files from', async () => {
    strew(3000);
    const cache = openCache({ maxEntries: 3000, cullFrequency: 1000 });
    await cache.set('key', 1);
    expect(files()).toHaveLength(2998);
    await fill(cache, 2);
    const readdir = jest.spyOn(fs, 'readdir');
    await cache.set('more', 1);
    expect(files()).toHaveLength(2998);
    // The directory itself, and the first of about 12 files each.
    expect(readdir.mock.calls.length).toBeLessThanOrEqual(3);
  });
});

describe('location', () => {
  test('may be a path or a URL, with or without a slash at the end (FILE-16)', async () => {
    const url = pathToFileURL(directory);
    const locations = [
      directory,
      directory + sep,
      url,
      new URL(`${url}/`),
      url.href,
      `${url.href}/`,
    ];
    for (const [i, location] of locations.entries()) {
      await new FileBasedCache(location).set('key', i);
      for (const other of locations) expect(await new FileBasedCache(other).get('key')).toBe(i);
    }
    expect(files()).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  test('is resolved once if it is relative, with a warning (FILE-16, CHK-03)', async () => {
    const before = process.cwd();
    try {
      process.chdir(directory);
      const cache = new FileBasedCache('some/cache/');
      process.chdir(before);
      await cache.set('key', 'value');
      expect(readdirSync(join(directory, 'some', 'cache'))).toHaveLength(1);
      expect(warnings).toEqual([
        expect.objectContaining({
          name: 'CacheLocationWarning',
          code: 'CACHEWRIGHT_RELATIVE_LOCATION',
          message: expect.stringMatching(/"some\/cache\/".*relative/),
        }),
      ]);
    } finally {
      process.chdir(before);
    }
  });

  test.each([undefined, '', 42, null, {}])('%p is refused', (location) => {
    expect(() => new FileBasedCache(location)).toThrow(TypeError);
    expect(() => new FileBasedCache(location)).toThrow(/directory/);
  });

  test('a URL of another scheme is refused', () => {
    const open = () => new FileBasedCache(new URL('https://example.com/cache'));
    expect(open).toThrow(TypeError);
    expect(open).toThrow(/"https:\/\/example.com\/cache".*file: URL/);
  });
});

describe('counters', () => {
  test('fractions, null and other kinds behave as on local memory (API-19, API-20)', async () => {
    const cache = openCache();
    await cache.set('key', 1.5);
    expect(await cache.incr('key', 0.25)).toBe(1.75);
    await cache.set('text', '1');
    await expect(cache.incr('text')).rejects.toThrow(TypeError);
  });

  test('a sum that cannot be stored leaves the entry as it was', async () => {
    const cache = openCache({
      serializer: {
        dump: (value) => {
          if (value === 3) throw new Error('not three');
          return Buffer.from(JSON.stringify(value));
        },
        load: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
      },
    });
    await cache.set('key', 2);
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE', key: 'key' });
    expect(await cache.get('key')).toBe(2);
  });
});

test('frozen values are stored by their bytes', async () => {
  const cache = openCache();
  await cache.setFrozen('key', { byteLength: 5, toBytes: () => Buffer.from('bytes') }, 10, 1000);
  expect(await cache.getFrozen('key', 1000)).toEqual(Buffer.from('bytes'));
  expect(await cache.getFrozen('missing', 1000)).toBeUndefined();
  await cache.set('object', {});
  expect(await cache.getFrozen('object', 1000)).toBeUndefined();
});

describe('a value that is being made', () => {
  /** Where the entry of `key` is. */
  function pathOf(): string {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    const [name, ...others] = names.filter((name) => name.endsWith('.cachewright'));
    expect(others).toEqual([]);
    return join(directory, name!);
  }

  test('is not stored over what another process has put there', async () => {
    const cache = openCache();
    const theirs = packEntry(':1:key', Date.now() + 60_000, Buffer.from('42'));
    const made = await cache.getOrSet('key', () => {
      const path = pathOf();
      writeFileSync(`${path}-new`, theirs);
      renameSync(`${path}-new`, path);
      return 'ours';
    });
    expect(made).toBe(42);
    expect(readFileSync(pathOf())).toEqual(theirs);
  });

  test('is not stored where another process has removed it', async () => {
    const cache = openCache();
    expect(
      await cache.getOrSet('key', () => {
        unlinkSync(pathOf());
        return 'ours';
      }),
    ).toBe('ours');
    expect(await cache.get('key')).toBeUndefined();
    expect(existsSync(join(directory, 'tags'))).toBe(false);
  });

  test.each([100, 100_000])('is a miss until all of it is there, %i bytes long', async (length) => {
    const cache = openCache();
    await cache.getOrSet('key', async () => {
      const path = pathOf();
      const placeholder = readFileSync(path);
      writeFileSync(path, Buffer.concat([placeholder, Buffer.alloc(length, 'half')]));
      expect(await cache.get('key')).toBeUndefined();
      expect(existsSync(path)).toBe(true);
      return 'x'.repeat(length + 100);
    });
    expect(await cache.get('key')).toBe('x'.repeat(length + 100));
  });

  test('is in the file that the placeholder was in', async () => {
    const cache = openCache();
    let inode = 0;
    await cache.getOrSet('key', () => {
      inode = statSync(pathOf()).ino;
      return 'value';
    });
    expect(statSync(pathOf()).ino).toBe(inode);
  });

  test('is refused by a disk that is full, and leaves a miss', async () => {
    const cache = openCache();
    const made = cache.getOrSet('key', async () => {
      const handle = await fs.open(pathOf(), 'r+');
      const prototype = Object.getPrototypeOf(handle) as fs.FileHandle;
      await handle.close();
      jest
        .spyOn(prototype, 'write')
        .mockResolvedValueOnce({ bytesWritten: 3, buffer: Buffer.alloc(0) } as never);
      return 'value';
    });
    await expect(made).rejects.toThrow('There is no room');
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.getOrSet('key', 'next')).toBe('next');
  });
});

describe('what another process puts in the place of a purged entry', () => {
  /** Does `meanwhile` once, after it has looked whether an entry is purged. */
  class Slow extends FileBasedCache {
    meanwhile: (() => Promise<unknown>) | undefined;

    protected override async validityOf(...args: Parameters<FileBasedCache['validityOf']>) {
      const validity = await super.validityOf(...args);
      const { meanwhile } = this;
      this.meanwhile = undefined;
      await meanwhile?.();
      return validity;
    }
  }

  let slow: Slow;
  let other: FileBasedCache;
  beforeEach(async () => {
    slow = new Slow(directory);
    other = openElsewhere();
    await slow.set('key', 'old', 60, { tags: ['tag'] });
    await slow.invalidateTags(['tag']);
  });

  test('by add() is not replaced by another add()', async () => {
    slow.meanwhile = async () => expect(await other.add('key', 'theirs')).toBe(true);
    expect(await slow.add('key', 'ours')).toBe(false);
    expect(await slow.get('key')).toBe('theirs');
  });

  test('by set() is what getOrSet() finds', async () => {
    slow.meanwhile = () => other.set('key', 'theirs');
    expect(await slow.beginFill('key')).toEqual({ value: 'theirs' });
  });

  test('while it is being made is not replaced by add()', async () => {
    await slow.delete('key');
    await other.beginFill('key');
    slow.meanwhile = async () => expect(await other.add('key', 'theirs')).toBe(true);
    expect(await slow.add('key', 'ours')).toBe(false);
    expect(await slow.get('key')).toBe('theirs');
  });
});
