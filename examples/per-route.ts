// Single routes cached, each for as long as suits it.
//
//   npx tsx examples/per-route.ts
//   curl -si localhost:3000/primes/20000      slow: it counts them
//   curl -si localhost:3000/primes/20000      not counted again; see Age
//   curl -si localhost:3000/primes/30000      another page, by the same handler
//   curl -si localhost:3000/greeting -H 'Accept-Language: fr'    kept apart by language
//   curl -si -X DELETE localhost:3000/primes/20000    forget that page; the next GET counts anew
import { cache, cachePage, getCacheKey, varyOnHeaders } from 'cachewright';
import express, { type Request, type Response } from 'express';

export const app = express();

// As middleware, before the handler.
app.get('/primes/:limit', cachePage(60 * 15, { keyPrefix: 'primes' }), showPrimes);

// Or as a decorator, around it; what is inside says what the page depends on.
app.get('/greeting', cachePage(60)(varyOnHeaders('Accept-Language')(greet)));

app.delete('/primes/:limit', async (req, res) => {
  const key = await getCacheKey(req, { keyPrefix: 'primes' });
  const wasKept = key !== null && (await cache.delete(key));
  res.sendStatus(wasKept ? 204 : 404);
});

function showPrimes(req: Request, res: Response) {
  const limit = Math.min(Number(req.params.limit), 100_000);
  const startedAt = performance.now();
  let count = 0;
  for (let n = 2; n <= limit; n++) if (isPrime(n)) count += 1;
  res.json({ limit, count, computedInMs: Math.round(performance.now() - startedAt) });
}

function greet(req: Request, res: Response) {
  res.send(req.acceptsLanguages('en', 'fr') === 'fr' ? 'Bonjour !' : 'Hello!');
}

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor < n; divisor++) if (n % divisor === 0) return false;
  return true;
}

if (require.main === module) app.listen(process.env.PORT ?? 3000);
