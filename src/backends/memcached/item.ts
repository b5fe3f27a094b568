import { CacheValueError } from '../../errors';
import {
  chunksOf,
  MAX_CHUNKS,
  type Manifest,
  newManifest,
  packManifest,
  unpackManifest,
} from './chunks';
import type { Asker } from './node';
import { MemcachedStatusError, OPCODES, type Reply, STATUS, storeExtras } from './protocol';

/** What an item is, kept in its flags. Small ones are what other clients have for kinds of theirs. */
export const KIND = {
  /** A value, by the codec. */
  value: 0,
  /** A page's bytes. */
  page: 0x63770001,
  /** Where the bytes of a page are that is too large for one item. */
  manifest: 0x63770002,
  /** Some of them. */
  chunk: 0x63770003,
} as const;

/** How an item is to be stored. */
export interface ItemToStore {
  /** The caller's key, for messages. */
  readonly key: string;
  readonly finalKey: string;
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly expiration: number;
}

/**
 * Stores an item.
 *
 * @throws CacheValueError if the server will not have it; nothing is left under its key then.
 */
export async function storeItem(asker: Asker, item: ItemToStore): Promise<void> {
  const { finalKey, bytes, kind, expiration } = item;
  try {
    await asker.ask({
      opcode: OPCODES.set,
      key: finalKey,
      extras: storeExtras(kind, expiration),
      value: bytes,
    });
  } catch (error) {
    if (!(error instanceof MemcachedStatusError)) throw error;
    await deleteItem(asker, finalKey);
    throw refusal(item, error);
  }
}

/** Stores an item if there is none. @returns whether it was. @throws as {@link storeItem} does */
export async function addItem(asker: Asker, item: ItemToStore): Promise<boolean> {
  return (await addItemForCas(asker, item)) !== undefined;
}

/** {@link addItem}, with what tells the item from others in its place; `undefined`: not stored. */
export async function addItemForCas(asker: Asker, item: ItemToStore): Promise<Buffer | undefined> {
  const { finalKey, bytes, kind, expiration } = item;
  try {
    const { status, cas } = await asker.ask(
      {
        opcode: OPCODES.add,
        key: finalKey,
        extras: storeExtras(kind, expiration),
        value: bytes,
      },
      STATUS.exists,
    );
    return status === STATUS.ok ? cas : undefined;
  } catch (error) {
    throw error instanceof MemcachedStatusError ? refusal(item, error) : error;
  }
}

/**
 * Stores an item in the place of one that was read, if that is still there.
 *
 * @returns whether it was. @throws as {@link storeItem} does
 */
export async function replaceItem(asker: Asker, item: ItemToStore, cas: Buffer): Promise<boolean> {
  const { finalKey, bytes, kind, expiration } = item;
  try {
    const { status } = await asker.ask(
      {
        opcode: OPCODES.set,
        key: finalKey,
        cas,
        extras: storeExtras(kind, expiration),
        value: bytes,
      },
      STATUS.notFound,
      STATUS.exists,
    );
    return status === STATUS.ok;
  } catch (error) {
    throw error instanceof MemcachedStatusError ? refusal(item, error) : error;
  }
}

/** Removes an item that was read, if it is still there. @returns whether it was */
export async function deleteItemRead(
  asker: Asker,
  finalKey: string,
  cas: Buffer,
): Promise<boolean> {
  const request = { opcode: OPCODES.delete, key: finalKey, cas };
  return (await asker.ask(request, STATUS.notFound, STATUS.exists)).status === STATUS.ok;
}

/** Removes an item. @returns whether there was one */
export async function deleteItem(asker: Asker, finalKey: string): Promise<boolean> {
  const { status } = await asker.ask({ opcode: OPCODES.delete, key: finalKey }, STATUS.notFound);
  return status === STATUS.ok;
}

/** The item under a key. */
export async function readItem(asker: Asker, finalKey: string): Promise<Reply | undefined> {
  const reply = await asker.ask({ opcode: OPCODES.get, key: finalKey }, STATUS.notFound);
  return reply.status === STATUS.ok ? reply : undefined;
}

/**
 * Stores a page: in one item, or in chunks, of which nobody knows before all are there.
 *
 * @param cas - Of the item in whose place it comes, if it is to be in the place of that alone.
 * @returns whether that was still there
 */
export async function storePage(
  asker: Asker,
  item: Omit<ItemToStore, 'kind'>,
  maxItemBytes: number,
  cas?: Buffer,
): Promise<boolean> {
  const { bytes, finalKey } = item;
  if (bytes.length <= maxItemBytes) return storeOver(asker, { ...item, kind: KIND.page }, cas);
  if (bytes.length > maxItemBytes * MAX_CHUNKS) {
    await deleteItem(asker, finalKey);
    throw new CacheValueError(
      `${JSON.stringify(item.key)} was not stored. Its ${bytes.length} bytes are more than ${MAX_CHUNKS} items of options.maxItemBytes (${maxItemBytes}).`,
      item.key,
    );
  }
  const manifest = newManifest(bytes.length, maxItemBytes);
  try {
    await Promise.all(
      chunksOf(manifest).map(({ key, start, end }) =>
        storeItem(asker, {
          ...item,
          finalKey: key,
          bytes: bytes.subarray(start, end),
          kind: KIND.chunk,
        }),
      ),
    );
  } catch (error) {
    // The page that this one was to replace.
    await deleteItem(asker, finalKey);
    throw error;
  }
  return storeOver(asker, { ...item, bytes: packManifest(manifest), kind: KIND.manifest }, cas);
}

async function storeOver(
  asker: Asker,
  item: ItemToStore,
  cas: Buffer | undefined,
): Promise<boolean> {
  if (cas !== undefined) return replaceItem(asker, item, cas);
  await storeItem(asker, item);
  return true;
}

/** The bytes of a page from what was found under its key; `undefined` if it is not whole. */
export async function pageOf(asker: Asker, found: Reply): Promise<Buffer | undefined> {
  if (found.flags === KIND.page) return found.value;
  if (found.flags !== KIND.manifest) return undefined;
  const manifest = unpackManifest(found.value);
  return manifest === undefined ? undefined : join(asker, manifest);
}

async function join(asker: Asker, manifest: Manifest): Promise<Buffer | undefined> {
  const chunks = chunksOf(manifest);
  const found = await Promise.all(chunks.map(({ key }) => readItem(asker, key)));
  const isWhole = chunks.every(
    ({ start, end }, i) => found[i]?.flags === KIND.chunk && found[i].value.length === end - start,
  );
  if (!isWhole) return undefined;
  return Buffer.concat(
    found.map((chunk) => chunk!.value),
    manifest.length,
  );
}

function refusal({ key, bytes }: ItemToStore, error: MemcachedStatusError): CacheValueError {
  return new CacheValueError(
    `${JSON.stringify(key)} was not stored, ${bytes.length} bytes long. ${error.message} The server's limit is set by its -I, 1 MB by default.`,
    key,
    { cause: error },
  );
}
