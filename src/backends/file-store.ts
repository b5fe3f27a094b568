import { hash, randomBytes } from 'node:crypto';
import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeyQueue } from '../cache/key-queue';
import {
  type Found,
  hasCode,
  linkExclusively,
  makePrivateDirectory,
  readEntryFile,
  writePrivateFile,
} from './entry-file';

/** What names of cache files end in; all else in the directory is left alone. */
const SUFFIX = '.cachewright';

/** What names of files end in that are being written, or removed. */
const TEMP_SUFFIX = '.cachewright-temp';

/** Unlike that of any other process or thread, also one on another machine. */
const TEMP_PREFIX = randomBytes(8).toString('hex');

/** Age, in milliseconds, at which a temporary file was left behind by a process that died. */
const TEMP_ABANDONED_MS = 60 * 60 * 1000;

/** Files a cull removes at most in one write, so that no write waits for long. */
const CULL_SLICE = 1000;

/** Writes after which the files are counted anew, as other processes write and remove too. */
const RECOUNT_WRITES = 1000;

/** Times a file is written when its directory vanishes under it. */
const WRITE_ATTEMPTS = 5;

/** Subdirectories listed at the same time. */
const SHARDS_AT_A_TIME = 8;

/** In {@link KeyQueue}, what concerns the directory as a whole; no path is empty. */
const WHOLE = '';

let temps = 0;

const stores = new Map<string, FileStore>();

/**
 * The cache files in one directory, spread over subdirectories by the first two digits of their
 * name. Shared by all backends of this process that are on the same directory.
 *
 * Other processes may do the same at any time, and there are no locks between them: a file is
 * complete before it gets its name, and is removed as expired only after it has been moved aside
 * and looked at there. Within the process {@link FileStore.inTurn} orders what changes one file.
 */
export class FileStore {
  readonly #root: string;
  readonly #queue = new KeyQueue();
  /** Files there are, as far as this process knows; `undefined` before they were ever counted. */
  #count: number | undefined;
  #writesSinceCount = 0;
  /** Removals that a cull has decided on and later writes will carry out. */
  #owed = 0;

  /** The store of an absolute path. */
  static at(root: string): FileStore {
    let store = stores.get(root);
    if (store === undefined) {
      store = new FileStore(root);
      stores.set(root, store);
    }
    return store;
  }

  private constructor(root: string) {
    this.#root = root;
  }

  /** Where the entry of a final key is. */
  pathOf(finalKey: string): string {
    const name = hash('md5', finalKey);
    return join(this.#root, name.slice(0, 2), name + SUFFIX);
  }

  /** Runs work that changes the file at `path` after all earlier such work. */
  inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.run(path, work);
  }

  /** Puts a file in its place, over an older one if there is one. */
  put(path: string, bytes: Buffer): Promise<void> {
    return this.#viaTemp(path, async (temp) => {
      const look = exists(path);
      // Should the write fail first, that is the error.
      look.catch(() => {});
      await writePrivateFile(temp, bytes);
      const isOld = await look;
      await rename(temp, path);
      if (!isOld) this.#changeCount(1);
    });
  }

  /** Puts a file in its place if that is free. @returns whether it was */
  create(path: string, bytes: Buffer): Promise<boolean> {
    return this.#viaTemp(path, async (temp) => {
      await writePrivateFile(temp, bytes);
      const isNew = await linkExclusively(temp, path);
      await unlinked(temp);
      if (isNew) this.#changeCount(1);
      return isNew;
    });
  }

  /** Removes a file, whatever it holds. @returns whether there was one */
  async remove(path: string): Promise<boolean> {
    const removed = await unlinked(path);
    if (removed) this.#changeCount(-1);
    return removed;
  }

  /**
   * Removes a file that was found expired or broken, unless a live one has taken its place.
   *
   * @param useless - What was found, if it is live, and of no use all the same.
   */
  async discard(path: string, useless?: Found): Promise<void> {
    const isUseless = (found: Found) => isDead(found) || isSame(found, useless);
    // Looked at again, for the caller may have read it before it was its turn.
    if (!isUseless(await readEntryFile(path))) return;
    const grave = tempBeside(path);
    try {
      await rename(path, grave);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    // What was moved may be what another process wrote a moment ago. A still newer one stays.
    const found = await readEntryFile(grave);
    const isLive = found !== 'absent' && !isUseless(found);
    const isGone = !isLive || !(await linkExclusively(grave, path));
    await unlinked(grave);
    if (isGone) this.#changeCount(-1);
  }

  /** Culls before a write, if there are too many files as far as is known. */
  async makeRoom(maxEntries: number, cullFrequency: number): Promise<void> {
    this.#writesSinceCount++;
    if (!this.#needsWork(maxEntries)) return;
    await this.#queue.run(WHOLE, async () => {
      // Whoever was before in the queue may have done it.
      if (!this.#needsWork(maxEntries)) return;
      const count = this.#isCountOld() ? await this.#recount() : this.#count!;
      if (this.#owed === 0 && count >= maxEntries) {
        if (cullFrequency === 0) {
          await this.#removeAll();
          return;
        }
        this.#owed = Math.floor(count / cullFrequency);
      }
      await this.#removeSome();
    });
  }

  /** Removes every cache file, and nothing else. `onRemoved` is told of each directory how many. */
  clear(onRemoved?: (count: number) => void): Promise<void> {
    return this.#queue.run(WHOLE, () => this.#removeAll(onRemoved));
  }

  #needsWork(maxEntries: number): boolean {
    return this.#isCountOld() || this.#owed > 0 || this.#count! >= maxEntries;
  }

  #isCountOld(): boolean {
    if (this.#count === undefined) return true;
    return this.#writesSinceCount >= Math.max(RECOUNT_WRITES, this.#count / 10);
  }

  #changeCount(change: 1 | -1): void {
    if (this.#count !== undefined) this.#count = Math.max(0, this.#count + change);
  }

  async #recount(): Promise<number> {
    this.#writesSinceCount = 0;
    let count = 0;
    await this.#forEachShard(async (shard) => {
      const names = await namesIn(shard);
      count += names.filter(isEntryName).length;
      await removeAbandoned(shard, names);
    });
    this.#count = count;
    return count;
  }

  async #removeAll(onRemoved?: (count: number) => void): Promise<void> {
    this.#owed = 0;
    await this.#forEachShard(async (shard) => {
      const names = await namesIn(shard);
      const entries = names.filter(isEntryName);
      await Promise.all(entries.map((name) => unlinked(join(shard, name))));
      onRemoved?.(entries.length);
      await removeAbandoned(shard, names);
    });
    this.#count = 0;
    this.#writesSinceCount = 0;
  }

  /**
   * Removes a random sample: names are digests, so that a subdirectory is a sample already, and
   * only as many need to be listed as have files to remove.
   */
  async #removeSome(): Promise<void> {
    let left = Math.min(this.#owed, CULL_SLICE);
    if (left === 0) return;
    this.#owed -= left;
    for (const shard of shuffled(await this.#shards())) {
      const names = shuffled((await namesIn(shard)).filter(isEntryName)).slice(0, left);
      const removed = await Promise.all(names.map((name) => this.remove(join(shard, name))));
      left -= removed.filter(Boolean).length;
      if (left === 0) return;
    }
    // Fewer files than were thought, as others remove them too.
    this.#owed = 0;
    this.#count = undefined;
  }

  async #forEachShard(work: (shard: string) => Promise<void>): Promise<void> {
    const shards = await this.#shards();
    for (let i = 0; i < shards.length; i += SHARDS_AT_A_TIME) {
      await Promise.all(shards.slice(i, i + SHARDS_AT_A_TIME).map(work));
    }
  }

  async #shards(): Promise<string[]> {
    const names = await namesIn(this.#root);
    return names.filter((name) => /^[\da-f]{2}$/.test(name)).map((name) => join(this.#root, name));
  }

  /** Does `work` with the path of a temporary file, anew if the directory is not there. */
  async #viaTemp<T>(path: string, work: (temp: string) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const temp = tempBeside(path);
      try {
        return await work(temp);
      } catch (error) {
        // Should this fail too, the first error tells more.
        await unlinked(temp).catch(() => {});
        if (!hasCode(error, 'ENOENT') || attempt === WRITE_ATTEMPTS) throw error;
        await makePrivateDirectory(dirname(path));
      }
    }
  }
}

/** Whether nobody could read it, under any key. */
export function isDead(found: Found): boolean {
  if (found === 'absent') return false;
  return found === 'broken' || found.expiresAt < Date.now();
}

function isSame(found: Found, other: Found | undefined): boolean {
  if (typeof found === 'string' || typeof other !== 'object') return false;
  return found.keyText === other.keyText && found.value.equals(other.value);
}

function tempBeside(path: string): string {
  return join(dirname(path), `${TEMP_PREFIX}-${temps++}${TEMP_SUFFIX}`);
}

function isEntryName(name: string): boolean {
  return name.endsWith(SUFFIX);
}

async function removeAbandoned(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (!name.endsWith(TEMP_SUFFIX)) continue;
    const path = join(directory, name);
    try {
      const { mtimeMs } = await lstat(path);
      if (Date.now() - mtimeMs > TEMP_ABANDONED_MS) await unlink(path);
    } catch (error) {
      // Its process has finished with it.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Removes a file. @returns whether there was one */
async function unlinked(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // Or a file of someone else's with the name of a subdirectory.
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
