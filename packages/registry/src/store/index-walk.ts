import { type Digest, parseDigest } from "@boxship/oci";
import { type KeyValue, keyAfter, prefixRange, type Store } from "@boxship/store";

const PAGE = 1000;

export interface WalkOptions {
  /** Only what follows this key. @default all of it */
  readonly after?: string;
  /** So many are in memory at a time: few of those that may be large. @default 1000 */
  readonly page?: number;
}

/** Everything whose key begins with the prefix, in order; what comes or goes meanwhile may be missed. */
export function eachItem(index: Store, prefix: string, options: WalkOptions = {}): AsyncGenerator<KeyValue> {
  return walk(index, prefix, false, options);
}

/** As {@link eachItem}, without the values. */
export function eachKey(index: Store, prefix: string): AsyncGenerator<KeyValue> {
  return walk(index, prefix, true, {});
}

async function* walk(
  index: Store,
  prefix: string,
  keysOnly: boolean,
  { after, page = PAGE }: WalkOptions,
): AsyncGenerator<KeyValue> {
  const { end = "" } = prefixRange(prefix);
  for (let start = after === undefined ? prefix : keyAfter(after); ; ) {
    const { items, more } = await index.range({ start, end }, { limit: page, keysOnly });
    yield* items;
    const last = items.at(-1);
    if (!more || last === undefined) return;
    start = keyAfter(last.key);
  }
}

/** Of a key `KIND/REPOSITORY@…`. */
export function repositoryOfKey(key: string): string {
  return key.slice(key.indexOf("/") + 1, key.lastIndexOf("@"));
}

/** Of a key `…@DIGEST`. */
export function digestOfKey(key: string): Digest {
  return parseDigest(key.slice(key.lastIndexOf("@") + 1));
}
