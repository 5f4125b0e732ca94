/** Indexes of an indexed job's pods as text: `1,3-5,7`. What is wrong with them is told in upstream's words. */

type Interval = readonly [first: number, last: number];

const whole = (text: string): number | undefined => (/^[-+]?\d+$/.test(text) ? Number(text) : undefined);

function readInterval(text: string, completions: number): Interval | string {
  const parts = text.split("-");
  if (parts.length > 2) {
    const why = "violates the requirement that an index interval can have at most two parts separated by '-'";
    return `the fragment ${JSON.stringify(text)} ${why}`;
  }
  const numbers: number[] = [];
  for (const part of parts) {
    const number = whole(part);
    if (number === undefined) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
    if (number >= completions) return `too large index: ${JSON.stringify(part)}`;
    numbers.push(number);
  }
  const [first = 0, last = first] = numbers;
  return numbers.length > 1 && first >= last
    ? `non-increasing order, previous: ${first}, current: ${last}`
    : [first, last];
}

/** @returns how many there are, or what is wrong with them */
export function countIndexes(text: string, completions: number): number | string {
  let [count, before] = [0, Number.NEGATIVE_INFINITY];
  for (const part of text === "" ? [] : text.split(",")) {
    const interval = readInterval(part, completions);
    if (typeof interval === "string") return interval;
    const [first, last] = interval;
    if (before >= first) return `non-increasing order, previous: ${before}, current: ${first}`;
    count += last - first + 1;
    before = last;
  }
  return count;
}

/** @returns the first index that is in both; what is no index is in none */
export function commonIndex(left: string, right: string, completions: number): number | undefined {
  const read = (text: string): readonly Interval[] =>
    text.split(",").flatMap((part) => {
      const interval = readInterval(part, completions);
      return typeof interval === "string" ? [] : [interval];
    });
  const [ours, theirs] = [read(left), read(right)];
  let [at, other] = [0, 0];
  for (;;) {
    const [own, their] = [ours[at], theirs[other]];
    if (own === undefined || their === undefined) return undefined;
    if (own[0] <= their[1] && their[0] <= own[1]) return Math.max(own[0], their[0]);
    if (own[0] <= their[0]) at++;
    else other++;
  }
}
