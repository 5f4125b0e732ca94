import { matchesLabels, parseQuantity } from "@boxship/api";
import { selectorOf } from "../shared/selector.ts";
import type { Claim, Volume } from "../types/volumes.ts";

/** A volume whose reference names the claim: before it was bound, or since. */
export function isFor({ spec }: Volume, { metadata }: Claim): boolean {
  const reference = spec?.claimRef;
  if (reference === undefined) return false;
  if (reference.name !== metadata.name || reference.namespace !== metadata.namespace) return false;
  return reference.uid === undefined || reference.uid === "" || reference.uid === metadata.uid;
}

const sizeOf = (text: string | undefined): bigint => parseQuantity(text ?? "0")?.nano ?? 0n;

const capacityOf = ({ spec }: Volume): bigint => sizeOf(spec?.capacity?.["storage"]);

/** The volume that fits a claim best: one that was made for it, else the smallest that is free and large enough. */
export function matchVolume(claim: Claim, volumes: Iterable<Volume>): Volume | undefined {
  let best: Volume | undefined;
  for (const volume of volumes) {
    if (!fits(claim, volume)) continue;
    if (isFor(volume, claim)) return volume;
    if (volume.spec?.claimRef !== undefined || volume.status?.phase !== "Available") continue;
    if (best === undefined || capacityOf(volume) < capacityOf(best)) best = volume;
  }
  return best;
}

function fits({ spec = {} }: Claim, volume: Volume): boolean {
  const { spec: own = {}, metadata } = volume;
  if (metadata.deletionTimestamp !== undefined) return false;
  if ((own.storageClassName ?? "") !== (spec.storageClassName ?? "")) return false;
  if ((own.volumeMode ?? "Filesystem") !== (spec.volumeMode ?? "Filesystem")) return false;
  if (spec.accessModes?.some((mode) => own.accessModes?.includes(mode) !== true) === true) return false;
  const selector = selectorOf(spec.selector);
  if (selector !== undefined && !matchesLabels(selector, metadata.labels)) return false;
  return capacityOf(volume) >= sizeOf(spec.resources?.requests?.["storage"]);
}
