import { keyAfter, prefixRange, type Store } from "@boxship/store";
import type { EncryptedValues } from "./encrypted-values.ts";
import { SECRETS } from "./sealed-collections.ts";

const READ_AT_ONCE = 100;
/** What a watch or a page of a list may still read of the past was sealed by the key before. */
const KEPT_KEYS = 2;

const rotating = new WeakMap<EncryptedValues, Promise<unknown>>();

/**
 * Makes a new key, seals all secrets by it, and forgets the keys before the last one. Where it is cut short, all keys are
 * still there, and it is simply done again. One that is asked for meanwhile is done after it: the key that the one seals
 * by must not be forgotten by the other.
 *
 * @returns how many secrets were sealed anew
 */
export async function rotateKeys(store: Store, values: EncryptedValues): Promise<number> {
  const before = rotating.get(values) ?? Promise.resolve();
  const sealed = before.then(() => rotate(store, values));
  rotating.set(
    values,
    sealed.catch(() => {}),
  );
  return await sealed;
}

async function rotate(store: Store, values: EncryptedValues): Promise<number> {
  await values.removeUnfinished();
  await values.addKey();
  let sealed = 0;
  const { start, end = "" } = prefixRange(SECRETS);
  for (let from = start; ; ) {
    const { items, more } = await store.range({ start: from, end }, { limit: READ_AT_ONCE });
    for (const { key } of items) if (await sealAgain(store, values, key)) sealed++;
    const last = items.at(-1);
    if (!more || last === undefined) break;
    from = keyAfter(last.key);
  }
  await values.forgetKeys(KEPT_KEYS);
  return sealed;
}

async function sealAgain(store: Store, values: EncryptedValues, key: string): Promise<boolean> {
  for (;;) {
    const [item] = (await store.range({ start: key })).items;
    if (item === undefined || values.isNewest(item.value)) return false;
    const { succeeded } = await store.transact({
      compare: [{ key, target: "modRevision", value: item.modRevision }],
      success: [{ kind: "put", key, value: values.seal(key, values.open(key, item.value)), lease: item.lease }],
    });
    if (succeeded) return true;
  }
}
