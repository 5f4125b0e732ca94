import type { MountPoint } from "@boxship/engine";

interface WireMountPoint {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

/** `Mounts` of an inspect or a list. What `--tmpfs` asked for stands in `HostConfig.Tmpfs` only. */
export function encodeMountPoints(mounts: readonly MountPoint[]): readonly WireMountPoint[] {
  return mounts.filter((mount) => mount.spec !== "tmpfs").map(encodeMountPoint);
}

function encodeMountPoint(mount: MountPoint): WireMountPoint {
  return {
    Type: mount.type,
    ...(mount.name === undefined || mount.name === "" ? {} : { Name: mount.name }),
    Source: mount.type === "tmpfs" ? "" : mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined || mount.driver === "" ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
}
