import type { EngineContext } from "../context.ts";
import type { VolumeView } from "../engine-api.ts";

/** Ids of the containers that have a volume, running or not. */
export function usersOf(context: EngineContext, name: string): readonly string[] {
  const using = context.containers
    .all()
    .filter(({ mounts }) => mounts.some((mount) => mount.name === name && mount.type === "volume"));
  return using.map(({ id }) => id);
}

/** A volume as it is shown. @throws NotFound */
export function volumeView(context: EngineContext, name: string): VolumeView {
  const volume = context.volumeStore.get(name);
  return {
    name: volume.name,
    driver: volume.driver,
    mountpoint: volume.mountpoint,
    created: volume.created,
    labels: volume.labels,
    options: volume.options,
    anonymous: "com.docker.volume.anonymous" in volume.labels,
  };
}
