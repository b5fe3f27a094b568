import { randomFrom } from './seeded-random';

/** Keys in the order they are asked for, the same in every run. */
export type Trace = readonly string[];

/** Ranks from 0 to `count - 1`, of which rank `r` is drawn in proportion to `1 / (r + 1) ** skew`. */
export function zipf(count: number, skew: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) {
    total += 1 / (rank + 1) ** skew;
    sums[rank] = total;
  }
  return () => {
    const drawn = random() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

interface SiteOptions {
  readonly pages: number;
  readonly skew: number;
  readonly requests: number;
  /** The part of the requests that ask for a URL that nobody asks for again. */
  readonly oneHits?: number;
  /** After so many requests the most popular pages are others. @defaultValue never */
  readonly shiftEvery?: number;
  /** How many pages fall out of favour at a time. */
  readonly shiftBy?: number;
}

/** Visitors of a site, some pages of which are far more popular than others. */
export function siteTrace(options: SiteOptions): Trace {
  const { pages, skew, requests, oneHits = 0, shiftEvery = requests, shiftBy = 0 } = options;
  const random = randomFrom(1);
  const rank = zipf(pages, skew, random);
  return Array.from({ length: requests }, (_, i) => {
    if (random() < oneHits) return `/one-hit/${i}`;
    return `/page/${rank() + shiftBy * Math.floor(i / shiftEvery)}`;
  });
}

interface CrawlOptions {
  readonly every: number;
  readonly length: number;
}

/** Visitors of a site, and now and then a crawler that reads `length` URLs in a row. */
export function crawledTrace(site: Trace, { every, length }: CrawlOptions): Trace {
  return site.flatMap((key, i) => {
    if (i % every !== every - 1) return [key];
    return [key, ...Array.from({ length }, (_, j) => `/crawled/${i}/${j}`)];
  });
}

/** The same pages over and over, in order. */
export function loopTrace({ pages, requests }: { pages: number; requests: number }): Trace {
  return Array.from({ length: requests }, (_, i) => `/loop/${i % pages}`);
}

interface EchoOptions {
  readonly requests: number;
  /** Pages asked for again and again, each as often as the others. */
  readonly hotPages: number;
  /** The part of the requests that go to them. */
  readonly hotShare: number;
  /** How many of the other pages are asked for before one of them is asked for again. */
  readonly distance: number;
}

/** Some pages all the time; each other page twice, the second time a while later, then never. */
export function echoTrace({ requests, hotPages, hotShare, distance }: EchoOptions): Trace {
  const random = randomFrom(1);
  let cold = 0;
  return Array.from({ length: requests }, () => {
    if (random() < hotShare) return `/hot/${Math.floor(random() * hotPages)}`;
    const page = cold >> 1;
    return cold++ % 2 === 0 ? `/cold/${page}` : `/cold/${page - distance}`;
  });
}
