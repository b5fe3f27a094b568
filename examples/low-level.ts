// Values in the cache: a poll, its result counted in the cache, its report made now and then.
//
//   npx tsx examples/low-level.ts
//   curl -s -X POST localhost:3000/votes/tea       1; once more: 2
//   curl -s -X POST localhost:3000/votes/coffee
//   curl -s 'localhost:3000/votes?for=tea,coffee,water'    only what has votes
//   curl -s localhost:3000/report    made at most every ten seconds, for all who ask at once
//   curl -s -X POST localhost:3000/rounds          a new round: all counts are gone
import { cache, configureCaches } from 'cachewright';
import express from 'express';

const { votes } = configureCaches({
  default: { timeout: 60 },
  // Votes are no cache of anything: they stay until the process ends.
  votes: { location: 'votes', timeout: null, options: { maxEntries: 10_000 } },
});

export const app = express();

app.post('/votes/:choice', async (req, res) => {
  const { choice } = req.params;
  await votes.add(choice, 0, undefined, { version: await round() });
  res.json(await votes.incr(choice, 1, { version: await round() }));
});

app.get('/votes', async (req, res) => {
  const choices = String(req.query.for ?? '').split(',');
  res.json(await votes.getMany(choices, { version: await round() }));
});

app.get('/report', async (_req, res) => {
  const report = await cache.getOrSet('report', makeReport, 10);
  res.json(report);
});

app.post('/rounds', async (_req, res) => {
  await votes.set('round', (await round()) + 1);
  await cache.delete('report');
  res.json(await round());
});

/** Counts of another round are under another version, so that none has to be looked for. */
function round(): Promise<number> {
  return votes.getOrSet('round', 1);
}

async function makeReport() {
  const counts = await votes.getMany<number>(['tea', 'coffee'], { version: await round() });
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { round: await round(), total, madeAt: new Date() };
}

if (require.main === module) app.listen(process.env.PORT ?? 3000);
