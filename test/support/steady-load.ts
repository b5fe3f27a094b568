/** One request of a steady load. */
export interface Sample {
  /** When it was sent, in milliseconds since the load began. */
  readonly at: number;
  /** How long it took. */
  readonly ms: number;
  /** What went wrong, if it failed. */
  readonly error: string | undefined;
}

/** A load that goes on until it is stopped. */
export interface SteadyLoad {
  /** Milliseconds since it began. */
  readonly now: () => number;
  /** Waits for what is under way, and resolves to all requests. */
  stop(): Promise<readonly Sample[]>;
}

const TICK_MS = 5;

/** Sends so many requests a second, whether or not those before have been answered. */
export function steadyLoad(perSecond: number, send: (i: number) => Promise<unknown>): SteadyLoad {
  const begunAt = performance.now();
  const now = () => performance.now() - begunAt;
  const samples: Promise<Sample>[] = [];
  const timer = setInterval(() => {
    const due = Math.floor((now() / 1000) * perSecond);
    while (samples.length < due) samples.push(measure(send, samples.length, now));
  }, TICK_MS);
  return {
    now,
    stop: () => {
      clearInterval(timer);
      return Promise.all(samples);
    },
  };
}

async function measure(
  send: (i: number) => Promise<unknown>,
  i: number,
  now: () => number,
): Promise<Sample> {
  const at = now();
  try {
    await send(i);
    return { at, ms: now() - at, error: undefined };
  } catch (error) {
    return { at, ms: now() - at, error: (error as Error).message };
  }
}

/** The milliseconds that this share of the samples took at most. */
export function quantile(samples: readonly Sample[], share: number): number {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
