import { channel } from 'node:diagnostics_channel';

/** What subscribers of the channel `cachewright:fragment` get, once for each fragment shown. */
export interface FragmentOutcomeMessage {
  readonly name: string;
  /** Without the alias's prefix and version. */
  readonly key: string;
  /** Whether it was rendered for another request, or an earlier one. */
  readonly isHit: boolean;
}

const outcomes = channel('cachewright:fragment');

/** Tells subscribers of the diagnostics channel `cachewright:fragment` how a fragment was come by. */
export function tellFragment(message: FragmentOutcomeMessage): void {
  if (outcomes.hasSubscribers) outcomes.publish(message);
}
