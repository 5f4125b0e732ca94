/** The most that a name may have. */
const LONGEST = 253;
/** What is left of the beginning of a name that the server ends. */
const LONGEST_BEGINNING = 58;

/** A name with its hash; what is too much of it is left out. */
export const nameWithHash = (name: string, hash: string): string =>
  `${name.slice(0, LONGEST - 1 - hash.length)}-${hash}`;

/** The beginning of the names of somebody's pods: with a dash, where that fits. */
export const podPrefix = (name: string): string => (name.length < LONGEST ? `${name}-` : name);

/** As {@link podPrefix}, with an index, which is not left out whatever the name is. */
export function indexedPrefix(name: string, index: number): string {
  const end = `-${index}-`;
  const isLong = name.length + end.length > LONGEST_BEGINNING;
  return `${isLong ? name.slice(0, LONGEST_BEGINNING - end.length) : name}${end}`;
}
