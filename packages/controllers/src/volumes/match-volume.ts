import { isVolumeFor, volumeCapacity, volumesFitting } from "@boxship/api";
import type { Claim, Volume } from "../types/volumes.ts";

/** The volume that fits a claim best: one that was made for it, else the smallest that is free and large enough. */
export function matchVolume(claim: Claim, volumes: Iterable<Volume>): Volume | undefined {
  const fits = volumesFitting(claim);
  let best: Volume | undefined;
  for (const volume of volumes) {
    if (!fits(volume)) continue;
    if (isVolumeFor(volume, claim)) return volume;
    if (volume.spec?.claimRef !== undefined || volume.status?.phase !== "Available") continue;
    if (best === undefined || volumeCapacity(volume) < volumeCapacity(best)) best = volume;
  }
  return best;
}
