import { InvalidArgument } from "@boxship/base";
import type { MountSpec, MountToAdd } from "@boxship/engine";
import { flag, text } from "../../http/query.ts";
import { created, defineRoute, noContent } from "../../http/route.ts";
import { encodeMountPoints } from "../../view/mount-points.ts";
import { type Codec, type DecodeContext, decodeBody, field, object, string } from "../../wire/codec.ts";
import { mount } from "../../wire/mount.ts";

const request: Codec<{ readonly bind?: string; readonly mount?: MountSpec }> = object("MountRequest", {
  bind: field("Bind", string),
  mount: field("Mount", mount),
});

function decode(body: unknown, context: DecodeContext): MountToAdd {
  const { bind, mount: spec } = decodeBody(request, body, context);
  if (bind !== undefined && spec === undefined) return { bind };
  if (spec !== undefined && bind === undefined) return { mount: spec };
  throw new InvalidArgument("give either Bind or Mount");
}

export const containerMountAdd = defineRoute({
  method: "POST",
  path: "/boxship/containers/{id}/mounts",
  doc: {
    state: "works",
    note: "extension: adds a mount to a container (`Bind` as in `HostConfig.Binds`, or `Mount` as in `HostConfig.Mounts`), at once if it runs; with `recreate=1` it gets a new process where the kernel refuses that; answers with the mount",
  },
  query: (query) => ({ recreate: flag(query, "recreate") }),
  body: decode,
  handle: async (call, { query, body }) => {
    const [point] = encodeMountPoints([await call.engine.containers.addMount(call.param("id"), body, query)]);
    return created(point);
  },
});

export const containerMountRemove = defineRoute({
  method: "DELETE",
  path: "/boxship/containers/{id}/mounts",
  doc: {
    state: "works",
    note: "extension: takes the mount at `target` away, at once if the container runs; with `v=1` also its anonymous volume, `recreate=1` as for adding",
  },
  query: (query) => {
    const target = text(query, "target");
    if (target === undefined) throw new InvalidArgument("bad parameter: target cannot be empty");
    return { target, options: { volume: flag(query, "v"), recreate: flag(query, "recreate") } };
  },
  handle: async (call, { query: { target, options } }) => {
    await call.engine.containers.removeMount(call.param("id"), target, options);
    return noContent;
  },
});
