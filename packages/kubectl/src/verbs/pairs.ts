import { Refusal } from "../failure.ts";

/** Words that name objects, and words that say what to set. */
export interface SplitWords {
  readonly resources: readonly string[];
  readonly set: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
}

/** `pods web a=b c-` in two; the first that sets something ends the names. @param what for messages, e.g. `label` */
export function splitPairs(words: readonly string[], what: string): SplitWords {
  const resources: string[] = [];
  const changes: string[] = [];
  for (const word of words) {
    const isChange = /^[^=]+=/.test(word) || (word.endsWith("-") && word !== "-");
    if (!isChange && changes.length > 0) {
      throw new Refusal(`all resources must be specified before ${what} changes: ${word}`);
    }
    (isChange ? changes : resources).push(word);
  }
  const set = new Map<string, string>();
  const removed: string[] = [];
  for (const change of changes) {
    const at = change.indexOf("=");
    if (at < 0) removed.push(change.slice(0, -1));
    else set.set(change.slice(0, at), change.slice(at + 1));
  }
  const both = removed.find((key) => set.has(key));
  if (both !== undefined)
    throw new Refusal(
      `can not both modify and remove ${what === "label" ? "a label" : "an annotation"} in the same command`,
    );
  return { resources, set, removed };
}
