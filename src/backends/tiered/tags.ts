import { type PurgeMode, type TagStore, Tags } from '../../cache/tags';

/** Tags whose purges go somewhere else first. */
export class TieredTags extends Tags {
  readonly #purge: (names: readonly string[], mode: PurgeMode, isLate: boolean) => Promise<void>;

  constructor(
    store: TagStore,
    purge: (names: readonly string[], mode: PurgeMode, isLate: boolean) => Promise<void>,
  ) {
    super(store);
    this.#purge = purge;
  }

  override async purge(names: readonly string[], mode: PurgeMode, isLate: boolean): Promise<void> {
    if (names.length > 0) await this.#purge(names, mode, isLate);
  }

  /** Purges in the shared cache, and tells all others. */
  async purgeNow(names: readonly string[], mode: PurgeMode, isLate: boolean): Promise<void> {
    await super.purge(names, mode, isLate);
  }
}
