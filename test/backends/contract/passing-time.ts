import type { BaseCache, CacheParams } from 'cachewright';
import type { CacheContractTraits, ContractContext, Subject } from './context';

type Body = (subject: Subject) => Promise<void>;
type Another = (params?: CacheParams) => Promise<BaseCache>;

/** Long enough for what happens while time really passes. */
const PATIENCE_MS = 180_000;

/** Lets time pass by waiting for it. */
export function waited(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/**
 * What defines the tests of a suite in which time passes. Where it has to be waited for, the first
 * of them to run has all of them wait at once, each with keys of its own, and the others tell what
 * came of theirs.
 */
export function testsOfTime(
  advance: Required<CacheContractTraits>['advance'],
  cache: () => BaseCache,
  another: Another,
): ContractContext['testOfTime'] {
  const pass = async (seconds: number) => advance(seconds);
  if (advance !== waited) {
    return (name, body) => {
      test(name, () => body({ cache: cache(), another, advance: pass }), PATIENCE_MS);
    };
  }

  const bodies: Body[] = [];
  const outcomes = new Map<Body, Promise<void>>();

  async function runApart(body: Body): Promise<void> {
    const keyPrefix = `apart-${bodies.indexOf(body)}`;
    const apart: Another = (params) => another({ keyPrefix, ...params });
    await body({ cache: await apart(), another: apart, advance: pass });
  }

  return (name, body) => {
    bodies.push(body);
    test(
      name,
      async () => {
        if (outcomes.size === 0) {
          for (const each of bodies) outcomes.set(each, runApart(each));
          await Promise.allSettled(outcomes.values());
        }
        await outcomes.get(body);
      },
      PATIENCE_MS,
    );
  };
}
