import { basename, dirname } from "node:path";
import { finished } from "node:stream";
import { Conflict } from "@boxship/base";
import { archivePath, extractArchive } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { VolumesApi } from "../engine-api.ts";
import { volumePin } from "./volume-ensure.ts";
import { usersOf, volumeView } from "./volume-view.ts";

type Extensions = Pick<
  VolumesApi,
  "clone" | "limit" | "rename" | "export" | "import" | "snapshot" | "snapshots" | "restoreSnapshot" | "removeSnapshot"
>;

/** What Docker's volumes cannot do. */
export function volumeExtensions(context: EngineContext): Extensions {
  const { volumeStore, events } = context;
  const publish = (action: string, name: string, attributes: Readonly<Record<string, string>> = {}) =>
    events.publish("volume", action, name, { driver: "local", ...attributes });
  return {
    async clone(name, { snapshot, ...target }) {
      await volumeStore.clone(name, target, snapshot);
      publish("create", target.name);
      return volumeView(context, target.name);
    },
    async rename(name, newName) {
      volumeStore.get(name);
      const users = usersOf(context, name);
      if (users.length > 0 || context.pins.has(volumePin(name))) {
        throw new Conflict(`rename ${name}: volume is in use - [${users.join(", ")}]`, {
          subject: { kind: "volume", name },
          remedy: "remove the containers that have it first: they know it by its name",
        });
      }
      // Nobody comes to rely on it meanwhile.
      using _pin = context.pins.take(volumePin(name));
      await volumeStore.rename(name, newName);
      publish("rename", newName, { oldName: name });
    },
    export: (name) => exportVolume(context, name),
    async import(request, archive, signal) {
      const options = { wholeTree: true };
      await volumeStore.createFilled(request, (directory) => extractArchive(directory, "/", archive, options, signal));
      publish("create", request.name);
      return volumeView(context, request.name);
    },
    async limit(name, size) {
      await volumeStore.limit(name, size);
      publish("limit", name, { size });
      return volumeView(context, name);
    },
    async snapshot(name, snapshot) {
      await volumeStore.snapshot(name, snapshot);
      publish("snapshot", name, { snapshot });
    },
    snapshots: (name) => volumeStore.snapshots(name),
    async restoreSnapshot(name, snapshot) {
      await volumeStore.restoreSnapshot(name, snapshot);
      publish("restore", name, { snapshot });
    },
    removeSnapshot: (name, snapshot) => volumeStore.removeSnapshot(name, snapshot),
  };
}

/** The volume stays mounted until the stream has ended, in whatever way. */
async function exportVolume({ volumeStore, background }: EngineContext, name: string) {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<Awaited<ReturnType<typeof archivePath>>["stream"]>();
  const working = volumeStore.withContent(name, async (directory) => {
    // With the directory itself as first entry: its owner and mode count.
    const { stream } = await archivePath(dirname(directory), `/${basename(directory)}/.`);
    finished(stream, () => end());
    opened.resolve(stream);
    await over;
  });
  working.catch(opened.reject);
  background.run(`export of volume ${name}`, () => working.catch(() => {}));
  return await opened.promise;
}
