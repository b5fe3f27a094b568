import autocannon from 'autocannon';

/** What the load generator is asked to do. */
export interface LoadRequest {
  readonly url: string;
  readonly seconds: number;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  /** Answers that were none, or not 200. */
  readonly failures: number;
}

process.on('message', async ({ url, seconds }: LoadRequest) => {
  const startedAt = performance.now();
  const result = await autocannon({ url, duration: seconds, connections: 25 });
  const requests = result['2xx'];
  const answer: LoadResult = {
    requests,
    perSecond: requests / ((performance.now() - startedAt) / 1000),
    failures: result.non2xx + result.errors + result.timeouts,
  };
  process.send!(answer);
});
process.once('disconnect', () => process.exit());
