import type { VolumeView } from "@boxship/engine";
import { rfc3339 } from "../format/time.ts";

const NULL_WHEN_EMPTY = (value: Readonly<Record<string, string>>) => (Object.keys(value).length === 0 ? null : value);

/** A volume; `UsageData` where it was measured. */
export function encodeVolume(volume: VolumeView): Record<string, unknown> {
  return {
    CreatedAt: rfc3339(volume.created).replace(/\.\d+Z$/, "Z"),
    Driver: volume.driver,
    Labels: NULL_WHEN_EMPTY(volume.labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: NULL_WHEN_EMPTY(volume.options),
    Scope: "local",
    ...(volume.usage === undefined
      ? {}
      : { UsageData: { RefCount: volume.usage.references, Size: volume.usage.size } }),
  };
}
