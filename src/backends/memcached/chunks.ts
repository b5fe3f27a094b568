import { randomBytes } from 'node:crypto';

/** Pages of more chunks are refused, and a manifest that claims more is none. */
export const MAX_CHUNKS = 256;

const GENERATION_BYTES = 16;
const MANIFEST_BYTES = GENERATION_BYTES + 8;

/** What is stored under the key of a page that is too large for one item. */
export interface Manifest {
  /** Random, so that no chunk of another writing is ever taken for one of this. */
  readonly generation: string;
  /** Bytes of the page. */
  readonly length: number;
  /** Bytes of each chunk but the last. */
  readonly chunkBytes: number;
}

/** The manifest of a page that is written now. */
export function newManifest(length: number, chunkBytes: number): Manifest {
  return { generation: randomBytes(GENERATION_BYTES).toString('hex'), length, chunkBytes };
}

/** Key and place in the page of each chunk. */
export function chunksOf({ generation, length, chunkBytes }: Manifest): {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}[] {
  return Array.from({ length: Math.ceil(length / chunkBytes) }, (_, i) => ({
    key: `cachewright:${generation}:${i}`,
    start: i * chunkBytes,
    end: Math.min((i + 1) * chunkBytes, length),
  }));
}

export function packManifest({ generation, length, chunkBytes }: Manifest): Buffer {
  const bytes = Buffer.alloc(MANIFEST_BYTES);
  bytes.write(generation, 'hex');
  bytes.writeUInt32BE(length, GENERATION_BYTES);
  bytes.writeUInt32BE(chunkBytes, GENERATION_BYTES + 4);
  return bytes;
}

/** The manifest, unless these bytes cannot be one. */
export function unpackManifest(bytes: Buffer): Manifest | undefined {
  if (bytes.length !== MANIFEST_BYTES) return undefined;
  const length = bytes.readUInt32BE(GENERATION_BYTES);
  const chunkBytes = bytes.readUInt32BE(GENERATION_BYTES + 4);
  // Division by 0 gives more than any bound.
  if (length === 0 || length / chunkBytes > MAX_CHUNKS) return undefined;
  return { generation: bytes.toString('hex', 0, GENERATION_BYTES), length, chunkBytes };
}
