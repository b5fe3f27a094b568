import autocannon from 'autocannon';
import { kindsOf, type LoadRequest, type LoadResult } from './load';

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
    failures: kindsOf({
      status: result.non2xx,
      error: result.errors,
      timeout: result.timeouts,
    }),
  };
  process.send!(answer);
});
process.once('disconnect', () => process.exit());
