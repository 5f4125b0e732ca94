import { FailedPrecondition } from "@boxship/base";
import type { Store } from "@boxship/store";
import { decodeRecord, encodeRecord } from "./records.ts";

const KEY = "blob-place";

/**
 * Writes down where the blobs of a registry are, at first, and refuses any other place later: a check or a collection that
 * looks at the wrong one would take everything away.
 *
 * @throws FailedPrecondition
 */
export async function holdToPlace(index: Store, place: string): Promise<void> {
  const [item] = (await index.range({ start: KEY })).items;
  if (item === undefined) {
    await index.transact({ success: [{ kind: "put", key: KEY, value: encodeRecord({ place }) }] });
    return;
  }
  const { place: before } = decodeRecord(item) as { readonly place: string };
  if (before === place) return;
  throw new FailedPrecondition(`this registry has its blobs in ${before}, and was started with ${place}`, {
    subject: { kind: "registry", name: place },
    remedy: "name its configuration by --config, or give the new place a new root",
  });
}
