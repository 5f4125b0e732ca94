import { InvalidArgument, NotFound } from "@boxship/base";
import type { MountResolver } from "../container/mounts-resolve.ts";
import type { EngineContext } from "../context.ts";

/** Key under which a volume is pinned while a container that uses it is being made. */
export const volumePin = (name: string): string => `volume:${name}`;

/**
 * Volumes for a container that is being made. They stay pinned as long as `pins` lives; those that were made are removed
 * again by `undo`.
 */
export function volumeResolver(
  context: EngineContext,
  pins: DisposableStack,
  undo: AsyncDisposableStack,
): MountResolver {
  return {
    async ensureVolume({ name, driver, options, labels }) {
      if (driver !== undefined && driver !== "local") {
        throw new NotFound(`error looking up volume plugin ${driver}: plugin "${driver}" not found`, {
          subject: { kind: "volume driver", name: driver },
          remedy: "the only volume driver is local",
        });
      }
      if (name !== undefined) pins.use(context.pins.take(volumePin(name)));
      const existed = name !== undefined && context.volumeStore.list().some((volume) => volume.name === name);
      const volume = await context.volumeStore.create({
        ...(name === undefined ? {} : { name }),
        driver: "local",
        options: options ?? {},
        labels: labels ?? (name === undefined ? { "com.docker.volume.anonymous": "" } : {}),
      });
      if (name === undefined) pins.use(context.pins.take(volumePin(volume.name)));
      if (!existed) {
        undo.defer(() => context.volumeStore.remove(volume.name));
        context.events.publish("volume", "create", volume.name, { driver: "local" });
      }
      return { name: volume.name, mountpoint: volume.mountpoint, driver: "local" };
    },
    container(ref) {
      const record = context.containers.resolve(ref);
      if (record.state.status === "removing") throw new InvalidArgument(`container ${ref} is being removed`);
      return record;
    },
    imageId: async (ref) => (await context.images.forContainer(ref)).id,
  };
}
