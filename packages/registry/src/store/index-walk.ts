import { type Digest, parseDigest } from "@boxship/oci";
import { type KeyValue, prefixRange, type Store } from "@boxship/store";

const PAGE = 1000;

/** Everything whose key begins with the prefix, in order; what comes or goes meanwhile may be missed. */
export function eachItem(index: Store, prefix: string): AsyncGenerator<KeyValue> {
  return walk(index, prefix, false);
}

/** As {@link eachItem}, without the values. */
export function eachKey(index: Store, prefix: string): AsyncGenerator<KeyValue> {
  return walk(index, prefix, true);
}

async function* walk(index: Store, prefix: string, keysOnly: boolean): AsyncGenerator<KeyValue> {
  const { end = "" } = prefixRange(prefix);
  for (let start = prefix; ; ) {
    const { items, more } = await index.range({ start, end }, { limit: PAGE, keysOnly });
    yield* items;
    const last = items.at(-1);
    if (!more || last === undefined) return;
    start = `${last.key}\0`;
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
