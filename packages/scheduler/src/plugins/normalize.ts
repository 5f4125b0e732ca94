import { MOST_SCORE } from "../plugin.ts";

/** Stretches numbers of at least 0 so that the largest is 100. All 0: nothing to tell, unless `reverse` makes them 100. */
export function normalizeToMost(scores: Float64Array, reverse = false): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), 0);
  for (const [index, score] of scores.entries()) {
    const share = most === 0 ? 0 : Math.floor((MOST_SCORE * score) / most);
    scores[index] = reverse ? MOST_SCORE - share : share;
  }
  return scores;
}

/** Stretches numbers so that the least is 0 and the largest 100. */
export function normalizeToRange(scores: Float64Array): Float64Array {
  const least = scores.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const range = most - least;
  for (const [index, score] of scores.entries()) {
    scores[index] = range === 0 ? 0 : Math.floor((MOST_SCORE * (score - least)) / range);
  }
  return scores;
}
