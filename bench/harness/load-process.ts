import autocannon from 'autocannon';
import type { LoadRequest, LoadResult } from './load';

// Stands in for wrk where that is not installed.
process.on('message', async ({ url, seconds, connections, isFresh }: LoadRequest) => {
  const startedAt = performance.now();
  const result = await autocannon({
    url: isFresh ? `${url}-[<id>]` : url,
    idReplacement: isFresh,
    duration: seconds,
    connections,
  });
  const requests = result['2xx'];
  const answer: LoadResult = {
    requests,
    seconds: (performance.now() - startedAt) / 1000,
    failures: result.non2xx + result.errors + result.timeouts,
  };
  process.send!(answer);
});
process.once('disconnect', () => process.exit());
