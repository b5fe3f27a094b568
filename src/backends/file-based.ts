import { BaseCache, type CullingOptions } from '../cache/base-cache';
import type { SerializerOption } from '../cache/value-codec';

/** Options of the file backend. */
export interface FileBasedOptions extends CullingOptions {
  /** How values become bytes. @defaultValue 'msgpack' */
  readonly serializer?: SerializerOption;
}

export class FileBasedCache extends BaseCache {}
