import { Conflict, NotFound } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import type { VolumesApi, VolumeView } from "../engine-api.ts";
import { volumePin } from "./volume-ensure.ts";
import { volumeExtensions } from "./volume-extensions.ts";
import { usersOf, volumeView } from "./volume-view.ts";

/** The engine's volumes; which containers use them is told by their records alone. */
export function volumesApi(context: EngineContext): VolumesApi {
  const get = (name: string) => context.volumeStore.get(name);
  return {
    async list({ size = false } = {}) {
      const views = context.volumeStore.list().map((volume) => volumeView(context, volume.name));
      return size ? Promise.all(views.map((view) => withUsage(context, view))) : views;
    },
    async get(name) {
      get(name);
      return volumeView(context, name);
    },
    async create({ name, driver, options, labels }) {
      if (driver !== undefined && driver !== "" && driver !== "local") {
        throw new NotFound(
          `create ${name ?? ""}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
          {
            subject: { kind: "volume driver", name: driver },
            remedy: "the only volume driver is local",
          },
        );
      }
      const existed = name !== undefined && context.volumeStore.list().some((volume) => volume.name === name);
      const volume = await context.volumeStore.create({
        ...(name === undefined || name === "" ? {} : { name }),
        driver: "local",
        options: options ?? {},
        labels: labels ?? {},
      });
      if (!existed) context.events.publish("volume", "create", volume.name, { driver: "local" });
      return volumeView(context, volume.name);
    },
    async remove(name, { force = false } = {}) {
      try {
        get(name);
      } catch (error) {
        if (force && error instanceof NotFound) return;
        throw error;
      }
      await removeUnused(context, name, { force });
    },
    ...volumeExtensions(context),
    async prune(filter) {
      const removed: string[] = [];
      let reclaimed = 0;
      for (const { name } of context.volumeStore.list()) {
        try {
          if (!(await mayBePruned(context, name, filter))) continue;
          const { usage } = await withUsage(context, volumeView(context, name));
          await removeUnused(context, name);
          removed.push(name);
          reclaimed += usage?.size ?? 0;
        } catch (error) {
          // Somebody else has removed it, or begun to use it, meanwhile.
          if (!(error instanceof NotFound) && !(error instanceof Conflict)) throw error;
        }
      }
      context.events.publish("volume", "prune", "", { reclaimed: String(reclaimed) });
      return { removed, reclaimed };
    },
  };
}

async function mayBePruned(
  context: EngineContext,
  name: string,
  filter: (volume: VolumeView) => boolean,
): Promise<boolean> {
  const { volumeStore, pins } = context;
  // What a volume with a device shows lies elsewhere.
  if (Object.hasOwn(volumeStore.get(name).options, "device")) return false;
  if (usersOf(context, name).length > 0 || pins.has(volumePin(name)) || !filter(volumeView(context, name)))
    return false;
  // Snapshots were made to be kept.
  return (await volumeStore.snapshots(name)).length === 0;
}

async function removeUnused(
  context: EngineContext,
  name: string,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const users = usersOf(context, name);
  if (users.length > 0 || context.pins.has(volumePin(name))) {
    throw new Conflict(`remove ${name}: volume is in use - [${users.join(", ")}]`, {
      subject: { kind: "volume", name },
      remedy: "remove the containers that use it first",
    });
  }
  await context.volumeStore.remove(name, options);
  context.events.publish("volume", "destroy", name, { driver: "local" });
}

async function withUsage(context: EngineContext, view: VolumeView): Promise<VolumeView> {
  const { size } = await context.volumeStore.usage(view.name);
  return { ...view, usage: { size, references: usersOf(context, view.name).length } };
}
