import { isObject, textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { type KeyValue, keyAfter, prefixRange, type Store } from "@boxship/store";
import { collectionOf, parseObject, withRevision } from "./object-bytes.ts";
import { SECRETS } from "./sealed-collections.ts";
import type { ValueCodec } from "./value-codec.ts";

const READ_AT_ONCE = 500;

export interface ObjectsCheck {
  readonly objects: number;
  /** A line for each that cannot be read, or is not the one that its key names. */
  readonly problems: readonly string[];
}

/** Reads every object of a store. */
export async function checkObjects(store: Pick<Store, "range">, secrets: ValueCodec): Promise<ObjectsCheck> {
  const problems: string[] = [];
  let objects = 0;
  const { start, end = "" } = prefixRange("/registry/");
  for (let from = start; ; ) {
    const { items, more } = await store.range({ start: from, end }, { limit: READ_AT_ONCE });
    for (const item of items) {
      objects++;
      const problem = problemOf(item, secrets);
      if (problem !== undefined) problems.push(`${item.key}: ${problem}`);
    }
    const last = items.at(-1);
    if (!more || last === undefined) return { objects, problems };
    from = keyAfter(last.key);
  }
}

function problemOf({ key, value, modRevision }: KeyValue, secrets: ValueCodec): string | undefined {
  try {
    const collection = collectionOf(key);
    const opened = collection === SECRETS ? secrets.open(key, value) : value;
    const object = parseObject(withRevision(opened, modRevision));
    if (!isObject(object) || collection === undefined) return "it is no object";
    const namespace = textAt(object, "metadata", "namespace");
    const named = `${collection}${namespace === "" ? "" : `${namespace}/`}${textAt(object, "metadata", "name")}`;
    return named === key ? undefined : `it holds the object of ${named}`;
  } catch (error) {
    return errorMessage(error);
  }
}
