import {
  type CacheParams,
  collect,
  contentOf,
  type Entries,
  type FrozenPlace,
  PLACE_SECONDS,
  type StoreOptions,
  toPairs,
  type VersionOption,
} from '../../cache/base-cache';
import { getOptions, keysOf, storeOptions, versionOptions } from '../../cache/call-arguments';
import { Envelope, isEnvelope, newHead } from '../../cache/envelope';
import type { FrozenValue } from '../../cache/frozen-value';
import { FILL_SECONDS, type Fill, type FillToken } from '../../cache/get-or-set';
import { digestOf, keyFaults, type Version } from '../../cache/keys';
import { after } from '../../cache/maybe-promise';
import type { Timeout } from '../../cache/timeouts';
import { CacheKeyNotFoundError, CacheValueError, InvalidCacheKeyError } from '../../errors';
import { type CacheFailure, ServerCache, type ServerOptions } from '../server-cache';
import { serverList } from '../server-list';
import { parseAddress } from './address';
import { Cluster } from './cluster';
import { EXPIRED, expirationOf } from './expiration';
import {
  addItem,
  addItemForCas,
  deleteItem,
  deleteItemRead,
  KIND,
  pageOf,
  readItem,
  replaceItem,
  storeItem,
  storePage,
} from './item';
import { isMemjsClient, loadMemjs, type MemjsClient } from './memjs';
import type { Asker, MemcachedNode } from './node';
import { countExtras, OPCODES, type Reply, STATUS, storeExtras, touchExtras } from './protocol';

/** Options of the Memcached backend. */
export interface MemcachedOptions extends ServerOptions {
  /**
   * Connections to each server, opened as there is use for them. What is asked for one key at the
   * same time goes over one connection, and so in order.
   *
   * @defaultValue 2
   */
  readonly maxPoolSize?: number;

  /** Django's name for `onError: 'miss'`. @defaultValue false */
  readonly ignoreExc?: boolean;

  /** Whether small packets are sent at once (`TCP_NODELAY`). @defaultValue true */
  readonly noDelay?: boolean;

  /** Whether the system probes idle connections (`SO_KEEPALIVE`). @defaultValue false */
  readonly keepAlive?: boolean;

  /** Milliseconds within which a connection must be made, and the user let in. @defaultValue 1000 */
  readonly connectTimeoutMs?: number;

  /** User for SASL, of the servers whose location names none. */
  readonly username?: string;

  /** Password for SASL. */
  readonly password?: string;

  /**
   * Bytes of a page that are stored in one item; a larger page is split. Lower it where servers
   * take less than 1 MB (`-I`). Values that are no pages are never split: the server refuses those
   * that are too large.
   *
   * @defaultValue 1 000 000
   */
  readonly maxItemBytes?: number;
}

const DEFAULTS = {
  maxPoolSize: 2,
  noDelay: true,
  keepAlive: false,
  connectTimeoutMs: 1000,
  maxItemBytes: 1_000_000,
};

/** Memcached's limit. */
const MAX_KEY_BYTES = 250;

/**
 * Entries on Memcached servers. Several are one cache: each key is on one of them, placed as
 * ketama does, and no entry on two.
 *
 * @see Django's `PyMemcacheCache`
 * @example
 * const caches = configureCaches({
 *   default: { backend: 'memcached', location: 'cache1:11211,cache2:11211' },
 * });
 */
export class MemcachedCache extends ServerCache {
  readonly #maxItemBytes: number;
  readonly #connect: () => Cluster;
  #openCluster: Cluster | undefined;

  /**
   * @param location - Servers: `host`, `host:port`, `[::1]:port`, `user:password@host`,
   *   `unix:/path` or `/path`; several split by `,` or `;`, or in an array. Or a ready-made client
   *   of memjs, which places keys as it does and stays open.
   * @throws TypeError if a setting makes no sense; Error if memjs is not installed.
   */
  constructor(location: string | readonly string[] | MemjsClient, params: CacheParams = {}) {
    super(location, withErrorsAsMisses(params));
    const options = (params.options ?? {}) as MemcachedOptions;
    const maxPoolSize = wholeNumber(options, 'maxPoolSize');
    const connectTimeoutMs = wholeNumber(options, 'connectTimeoutMs');
    this.#maxItemBytes = wholeNumber(options, 'maxItemBytes');
    const { maxPending } = this;
    if (isMemjsClient(location)) {
      this.#connect = () => Cluster.of(location, maxPending);
      return;
    }
    const { username, password } = options;
    if ((username === undefined) !== (password === undefined)) {
      throw new TypeError('One of options.username and options.password is missing. Give both.');
    }
    const addresses = serverList(location, 'localhost:11211').map((text) => {
      const address = parseAddress(text);
      return address.username === undefined ? { ...address, username, password } : address;
    });
    const memjs = loadMemjs();
    const noDelay = flag(options, 'noDelay', DEFAULTS.noDelay);
    const keepAlive = flag(options, 'keepAlive', DEFAULTS.keepAlive);
    const patienceMs = Math.max(this.readTimeoutMs, this.writeTimeoutMs);
    const pool = { maxPoolSize, connectTimeoutMs, noDelay, keepAlive, patienceMs };
    this.#connect = () => Cluster.connect(memjs, addresses, pool, maxPending);
  }

  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(key: string, fallback?: unknown, options?: VersionOption): Promise<unknown> {
    const { version } = getOptions(key, fallback, options);
    const stored = await this.getStored(key, { version });
    return stored === undefined ? fallback : contentOf(stored);
  }

  /** @internal */
  protected override async getStored(key: string, { version }: VersionOption): Promise<unknown> {
    const finalKey = this.makeAndValidateKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const failure = { operation: 'get', key };
    const expected = this.expectedCounters(finalKey);
    const work = (asker: Asker) => this.#storedAt(asker, finalKey, failure);
    const stored = await this.#read(node, failure, work, undefined);
    return stored instanceof Envelope ? this.opened(finalKey, stored, expected) : stored;
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<void> {
    const { version, tags } = storeOptions('set', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const expiration = expirationOf(this.resolveTimeout(timeout, key));
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'set', key);
    const bytes = this.codec.encodeBytes(stored, key);
    const node = this.#cluster.nodeOf(finalKey);
    const work = (asker: Asker) => store(asker, { key, finalKey, bytes, expiration });
    await this.#write(node, { operation: 'set', key }, work, undefined);
  }

  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<boolean> {
    const { version, tags } = storeOptions('add', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const expiration = expirationOf(this.resolveTimeout(timeout, key));
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'add', key);
    const bytes = this.codec.encodeBytes(stored, key);
    const item = { key, finalKey, bytes, kind: KIND.value, expiration };
    const node = this.#cluster.nodeOf(finalKey);
    const failure = { operation: 'add', key };
    const work = async (asker: Asker): Promise<boolean | Reply | undefined> =>
      (await addItem(asker, item)) || taggedIn(await readItem(asker, finalKey));
    for (;;) {
      const answer = await this.#write(node, failure, work, false);
      if (typeof answer === 'boolean') return answer;
      if (answer === undefined) continue;
      // What is there may stand for no value.
      const found = this.decode(answer.value, failure);
      if (!(found instanceof Envelope) || (await this.opened(finalKey, found)) !== undefined) {
        return false;
      }
      const replace = (asker: Asker) => replaceItem(asker, item, answer.cas);
      if (await this.#write(node, failure, replace, false)) return true;
    }
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('touch', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const extras = touchExtras(expirationOf(this.resolveTimeout(timeout, key)));
    const node = this.#cluster.nodeOf(finalKey);
    const failure = { operation: 'touch', key };
    const work = async (asker: Asker): Promise<boolean | Reply> => {
      // With its value: it may stand for none.
      const request = { opcode: OPCODES.getAndTouch, key: finalKey, extras };
      const reply = await asker.ask(request, STATUS.notFound);
      return reply.status === STATUS.ok && (isTagged(reply) ? reply : true);
    };
    const answer = await this.#write(node, failure, work, false);
    if (typeof answer === 'boolean') return answer;
    return (await this.opened(finalKey, this.decode(answer.value, failure))) !== undefined;
  }

  override async delete(key: string, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('delete', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const work = (asker: Asker) => deleteItem(asker, finalKey);
    return after(this.noteRemovals('delete', [key]), () =>
      this.#write(node, { operation: 'delete', key }, work, false),
    );
  }

  /** Empties all servers, of what other sites keep there, too. */
  override async clear(): Promise<void> {
    const outcomes = await Promise.allSettled(
      this.#cluster.nodes.map((node) => {
        const work = (asker: Asker) => asker.ask({ opcode: OPCODES.flush, key: '' });
        return node.run(work, this.writeTimeoutMs);
      }),
    );
    throwFirst(outcomes);
  }

  override async getMany<T = unknown>(
    keys: Iterable<string>,
    options?: VersionOption,
  ): Promise<Record<string, T>> {
    const { version } = versionOptions('getMany', options);
    const unique = keysOf('getMany', keys);
    const finalKeys = unique.map((key) => this.makeAndValidateKey(key, version));
    const stored: unknown[] = new Array(unique.length).fill(undefined);
    await this.#eachNode(finalKeys, async (node, places) => {
      const work = (asker: Asker) =>
        Promise.all(
          places.map((i) => {
            const failure = { operation: 'getMany', key: unique[i]! };
            return this.#storedAt(asker, finalKeys[i]!, failure);
          }),
        );
      const found = await this.#read(node, { operation: 'getMany' }, work, []);
      for (const [n, i] of places.entries()) stored[i] = found[n];
    });
    const values = (await this.openedMany(finalKeys, stored)).map(contentOf);
    return collect(unique, values as T[]);
  }

  /**
   * Stores every entry, with one timeout for all.
   *
   * @returns the keys that their server refused. One that does not answer is an error, once the
   *   others are done; with `onError: 'miss'`, its keys are returned.
   */
  override async setMany(
    entries: Entries,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<string[]> {
    const { version, tags } = storeOptions('setMany', options);
    // Of keys given twice, the last entry counts.
    const pairs = [...new Map(toPairs(entries))];
    const all = tags === undefined ? pairs : await this.allWithTags(pairs, tags);
    const items = all.map(([key, stored]) => ({
      key,
      finalKey: this.makeAndValidateKey(key, version),
      bytes: this.codec.encodeBytes(stored, key),
      expiration: expirationOf(this.resolveTimeout(timeout, key)),
    }));
    const failed: string[] = [];
    const finalKeys = items.map(({ finalKey }) => finalKey);
    await this.#eachNode(finalKeys, async (node, places) => {
      const work = async (asker: Asker) => {
        const outcomes = await Promise.all(
          places.map(async (i) => {
            const item = items[i]!;
            const isStored = await isAccepted(store(asker, item));
            return isStored ? [] : [item.key];
          }),
        );
        return outcomes.flat();
      };
      const keys = places.map((i) => items[i]!.key);
      failed.push(...(await this.#write(node, { operation: 'setMany' }, work, keys)));
    });
    return failed;
  }

  override async deleteMany(keys: Iterable<string>, options?: VersionOption): Promise<void> {
    const { version } = versionOptions('deleteMany', options);
    const unique = keysOf('deleteMany', keys);
    const finalKeys = unique.map((key) => this.makeAndValidateKey(key, version));
    await after(this.noteRemovals('deleteMany', unique), () =>
      this.#eachNode(finalKeys, async (node, places) => {
        const work = async (asker: Asker) => {
          await Promise.all(places.map((i) => deleteItem(asker, finalKeys[i]!)));
        };
        await this.#write(node, { operation: 'deleteMany' }, work, undefined);
      }),
    );
  }

  /**
   * Adds `delta` to a stored integer, on the server and so atomically. The entry keeps its expiry.
   * Counters of Memcached stop at zero.
   *
   * @throws TypeError if `delta` is no integer; else as in {@link BaseCache.incr}.
   */
  override async incr(key: string, delta = 1, options?: VersionOption): Promise<number> {
    const { version } = versionOptions('incr', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const method = delta < 0 ? 'decr' : 'incr';
    const call = `${method}(${JSON.stringify(key)})`;
    if (!Number.isSafeInteger(delta)) {
      throw new TypeError(`${call} got ${String(delta)}. Memcached counts in whole numbers.`);
    }
    const node = this.#cluster.nodeOf(finalKey);
    const request = {
      opcode: delta < 0 ? OPCODES.decrement : OPCODES.increment,
      key: finalKey,
      extras: countExtras(Math.abs(delta)),
    };
    const reply = await this.#write<Reply | undefined>(
      node,
      { operation: 'incr', key },
      (asker) => asker.ask(request, STATUS.notFound, STATUS.notANumber),
      undefined,
    );
    if (reply === undefined || reply.status === STATUS.notFound) {
      throw new CacheKeyNotFoundError(key, method);
    }
    if (reply.status === STATUS.notANumber) {
      const stored = await this.#countable(node, key, finalKey);
      if (stored.isInEnvelope) return this.addTo(key, stored.value, delta, method);
      throw new CacheValueError(
        `${call}: the entry holds no integer of zero or above, and Memcached counts no other.`,
        key,
      );
    }
    const sum = reply.value.readBigUInt64BE();
    if (sum <= Number.MAX_SAFE_INTEGER) return Number(sum);
    throw new CacheValueError(`${call} made ${sum}, more than a number can hold exactly.`, key);
  }

  /** Lets go of connections once what is under way is done. The next operation opens them again. */
  override async close(): Promise<void> {
    await this.finishAll();
    const cluster = this.#openCluster;
    this.#openCluster = undefined;
    await cluster?.close();
  }

  /** @throws InvalidCacheKeyError if Memcached would refuse the key, or take it for another. */
  override validateKey(finalKey: string): void {
    const [fault] = memcachedKeyFaults(finalKey);
    if (fault !== undefined) throw new InvalidCacheKeyError(fault, finalKey);
  }

  /** @internal */
  override async getFrozen(key: string, deadlineMs: number): Promise<Buffer | undefined> {
    const finalKey = this.#pageKey(key);
    const node = this.#cluster.nodeOf(finalKey);
    const work = async (asker: Asker) => {
      const found = await readItem(asker, finalKey);
      return found === undefined ? undefined : pageOf(asker, found);
    };
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    token?: FillToken,
  ): Promise<boolean> {
    const finalKey = this.#pageKey(key);
    const node = this.#cluster.nodeOf(finalKey);
    const expiration = expirationOf(this.resolveTimeout(timeout, key));
    const cas = token as Buffer | undefined;
    const work = async (asker: Asker) => {
      if (expiration !== EXPIRED) {
        const item = { key, finalKey, bytes: value.toBytes(), expiration };
        return storePage(asker, item, this.#maxItemBytes, cas);
      }
      if (cas !== undefined) return deleteItemRead(asker, finalKey, cas);
      await deleteItem(asker, finalKey);
      return true;
    };
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async openFrozen(
    key: string,
    deadlineMs: number,
    wantsFound: boolean,
  ): Promise<FrozenPlace> {
    const finalKey = this.#pageKey(key);
    const node = this.#cluster.nodeOf(finalKey);
    const expiration = expirationOf(PLACE_SECONDS);
    const item = { key, finalKey, bytes: newHead(), kind: KIND.value, expiration };
    const work = async (asker: Asker): Promise<FrozenPlace> => {
      for (;;) {
        const token = await addItemForCas(asker, item);
        if (token !== undefined) return { token };
        const reply = await readItem(asker, finalKey);
        if (reply === undefined) continue;
        const found = wantsFound ? await pageOf(asker, reply) : undefined;
        return { found, token: reply.cas };
      }
    };
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async deleteFrozen(key: string, deadlineMs: number): Promise<boolean> {
    const finalKey = this.#pageKey(key);
    const node = this.#cluster.nodeOf(finalKey);
    const work = (asker: Asker) => deleteItem(asker, finalKey);
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    const finalKeys = keys.map((key) => this.#pageKey(key));
    await this.#eachNode(finalKeys, async (node, places) => {
      const work = (asker: Asker) =>
        Promise.all(places.map((i) => deleteItem(asker, finalKeys[i]!)));
      await node.run(work, deadlineMs);
    });
  }

  /** @internal */
  override get swapsLeases(): boolean {
    return true;
  }

  /** @internal */
  override async acquireLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    version?: Version,
  ): Promise<boolean> {
    const finalKey = this.#pageKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const bytes = this.codec.encodeBytes(token, key);
    const expiration = leaseExpirationOf(seconds);
    const work = (asker: Asker) =>
      addItem(asker, { key, finalKey, bytes, kind: KIND.value, expiration });
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async readLease(key: string, deadlineMs: number, version?: Version): Promise<unknown> {
    const finalKey = this.#pageKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const failure = { operation: 'get', key };
    const work = (asker: Asker) => this.#storedAt(asker, finalKey, failure);
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async extendLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    successor: string = token,
    version?: Version,
  ): Promise<boolean> {
    const finalKey = this.#pageKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const held = this.codec.encodeBytes(token, key);
    const work = async (asker: Asker) => {
      const found = await readItem(asker, finalKey);
      if (found === undefined || !found.value.equals(held)) return false;
      // For the item that was read alone: the lease may have passed to another by now.
      const { cas } = found;
      const request =
        seconds === 0
          ? { opcode: OPCODES.delete, key: finalKey, cas }
          : {
              opcode: OPCODES.set,
              key: finalKey,
              cas,
              extras: storeExtras(KIND.value, leaseExpirationOf(seconds)),
              value: this.codec.encodeBytes(successor, key),
            };
      const { status } = await asker.ask(request, STATUS.notFound, STATUS.exists);
      return status === STATUS.ok;
    };
    return node.run(work, deadlineMs);
  }

  /** @internal */
  override async beginFill(key: string, { version }: VersionOption = {}): Promise<Fill> {
    const finalKey = this.makeKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const failure = { operation: 'getOrSet', key };
    const head = newHead();
    const expiration = expirationOf(FILL_SECONDS);
    const item = { key, finalKey, bytes: head, kind: KIND.value, expiration };
    const work = async (asker: Asker): Promise<Fill> => {
      for (;;) {
        if (await addItem(asker, item)) return { token: head };
        const found = await readItem(asker, finalKey);
        if (found !== undefined) return { value: await this.#decoded(asker, found, failure) };
      }
    };
    const { value, token } = await this.#write<Fill>(node, failure, work, {});
    return token === undefined ? this.fillOver(finalKey, value) : { token };
  }

  /** @internal */
  override async endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    { version }: VersionOption = {},
  ): Promise<boolean> {
    if (token === undefined) return true;
    const head = token as Buffer;
    const finalKey = this.makeKey(key, version);
    const node = this.#cluster.nodeOf(finalKey);
    const expiration = expirationOf(this.resolveTimeout(timeout, key));
    const bytes = stored === undefined ? head : this.codec.encodeBytes(stored, key);
    const item = { key, finalKey, bytes, kind: KIND.value, expiration };
    const work = async (asker: Asker) => {
      const found = await readItem(asker, finalKey);
      if (found === undefined || !isTagged(found)) return false;
      if (!found.value.subarray(0, head.length).equals(head)) return false;
      const isPlaceholder = found.value.length === head.length;
      // What was purged softly is shown on.
      if (stored === undefined && !isPlaceholder) return true;
      return stored === undefined || expiration === EXPIRED
        ? deleteItemRead(asker, finalKey, found.cas)
        : replaceItem(asker, item, found.cas);
    };
    return this.#write(node, { operation: 'getOrSet', key }, work, true);
  }

  get #cluster(): Cluster {
    this.#openCluster ??= this.#connect();
    return this.#openCluster;
  }

  #read<T>(
    node: MemcachedNode,
    failure: CacheFailure,
    work: (asker: Asker) => Promise<T>,
    miss: T,
  ) {
    return this.read(node.guard, failure, node.within(work), miss);
  }

  #write<T>(
    node: MemcachedNode,
    failure: CacheFailure,
    work: (asker: Asker) => Promise<T>,
    miss: T,
  ) {
    return this.write(node.guard, failure, node.within(work), miss);
  }

  /** Does `work` for the keys of each server, by their places in the list, at the same time. */
  async #eachNode(
    finalKeys: readonly string[],
    work: (node: MemcachedNode, places: readonly number[]) => Promise<void>,
  ): Promise<void> {
    const groups = [...this.#cluster.groups(finalKeys)];
    throwFirst(await Promise.allSettled(groups.map(([node, places]) => work(node, places))));
  }

  /** What an entry that Memcached could not count on holds. */
  async #countable(
    node: MemcachedNode,
    key: string,
    finalKey: string,
  ): Promise<{ readonly isInEnvelope: boolean; readonly value?: unknown }> {
    const failure = { operation: 'incr', key };
    const work = (asker: Asker) => readItem(asker, finalKey);
    const found = await this.#read(node, failure, work, undefined);
    if (found === undefined || !isTagged(found)) return { isInEnvelope: false };
    const value = await this.opened(finalKey, this.decode(found.value, failure));
    return { isInEnvelope: true, value };
  }

  async #storedAt(asker: Asker, finalKey: string, failure: CacheFailure): Promise<unknown> {
    const found = await readItem(asker, finalKey);
    return found === undefined ? undefined : this.#decoded(asker, found, failure);
  }

  async #decoded(asker: Asker, found: Reply, failure: CacheFailure): Promise<unknown> {
    if (found.flags === KIND.value) return this.decode(found.value, failure);
    const page = await pageOf(asker, found);
    if (page === undefined) this.report(new TypeError('The item is no entry of a cache.'), failure);
    return page;
  }

  /** The final key; where Memcached would refuse it, a digest, for a page is nobody's fault. */
  #pageKey(key: string, version?: Version): string {
    const finalKey = this.makeKey(key, version);
    return memcachedKeyFaults(finalKey).length === 0 ? finalKey : digestOf(finalKey);
  }
}

/** Whether an item is a value in an envelope. */
function isTagged({ flags, value }: Reply): boolean {
  return flags === KIND.value && isEnvelope(value);
}

/** The item, if it is in an envelope; `false` for any other; `undefined` for none. */
function taggedIn(found: Reply | undefined): Reply | false | undefined {
  return found === undefined || isTagged(found) ? found : false;
}

/** Stores a value, or what an expired one leaves: nothing. */
async function store(
  asker: Asker,
  item: Omit<Parameters<typeof storeItem>[1], 'kind'>,
): Promise<void> {
  if (item.expiration === EXPIRED) await deleteItem(asker, item.finalKey);
  else await storeItem(asker, { ...item, kind: KIND.value });
}

/** Whether the server did it, or would not. */
async function isAccepted(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof CacheValueError) return false;
    throw error;
  }
}

/** Expiration of a lease: a second more, as Memcached's first may be a short one. */
function leaseExpirationOf(seconds: number): number {
  return expirationOf(Math.ceil(seconds) + 1);
}

function memcachedKeyFaults(finalKey: string): string[] {
  const faults = keyFaults(finalKey);
  const bytes = Buffer.byteLength(finalKey);
  if (finalKey === '') faults.push('The cache key is empty.');
  // Halves of surrogate pairs are all sent as the same character.
  if (!finalKey.isWellFormed()) {
    faults.push(`Cache key contains half a surrogate pair: ${JSON.stringify(finalKey)}`);
  }
  if (faults.length === 0 && bytes > MAX_KEY_BYTES) {
    faults.push(
      `Cache key is ${bytes} bytes long in UTF-8, over Memcached's limit of ${MAX_KEY_BYTES}: ${JSON.stringify(finalKey)}`,
    );
  }
  return faults;
}

function throwFirst(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function withErrorsAsMisses(params: CacheParams): CacheParams {
  const options = (params.options ?? {}) as MemcachedOptions;
  if (!flag(options, 'ignoreExc', false)) return params;
  if (options.onError === 'throw') {
    throw new TypeError("options.ignoreExc is true, but options.onError is 'throw'. Give one.");
  }
  return { ...params, options: { ...options, onError: 'miss' } };
}

function flag(
  options: MemcachedOptions,
  name: 'ignoreExc' | 'noDelay' | 'keepAlive',
  otherwise: boolean,
): boolean {
  const value = options[name] ?? otherwise;
  if (typeof value === 'boolean') return value;
  throw new TypeError(`options.${name} is ${JSON.stringify(value)}. Give true or false.`);
}

function wholeNumber(
  options: MemcachedOptions,
  name: 'maxPoolSize' | 'connectTimeoutMs' | 'maxItemBytes',
): number {
  const value = options[name] ?? DEFAULTS[name];
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TypeError(`options.${name} is ${JSON.stringify(value)}. Give a whole number above 0.`);
}
