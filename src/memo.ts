import { LRUCache } from 'lru-cache';

/** Longer questions are most often made up, and would take memory for nothing. */
const LONGEST = 200;

/**
 * The same function, with its last answers at hand: for one that takes longer than a look-up, and is
 * asked the same few things all the time.
 *
 * @param max - Answers that are kept. They must not be changed.
 */
export function remembering<T extends {}>(
  max: number,
  answer: (question: string) => T,
): (question: string) => T {
  const answers = new LRUCache<string, T>({ max });
  return (question) => {
    const known = answers.get(question);
    if (known !== undefined) return known;
    const found = answer(question);
    if (question.length <= LONGEST) answers.set(question, found);
    return found;
  };
}
