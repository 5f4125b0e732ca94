import { rfc3339 } from "../../format/time.ts";
import { required } from "../../http/query.ts";
import { defineRoute, noContent, ok } from "../../http/route.ts";

export const volumeSnapshotList = defineRoute({
  method: "GET",
  path: "/boxship/volumes/{name}/snapshots",
  doc: { state: "works", note: "extension: the oldest first, with the disk space that each takes" },
  handle: async (call) => {
    const snapshots = await call.engine.volumes.snapshots(call.param("name"));
    return ok(snapshots.map(({ name, created, size }) => ({ Name: name, CreatedAt: rfc3339(created), Size: size })));
  },
});

export const volumeSnapshotCreate = defineRoute({
  method: "POST",
  path: "/boxship/volumes/{name}/snapshots",
  doc: { state: "works", note: "extension: keeps a copy of a volume's content as `name`" },
  query: (query) => required(query, "name"),
  handle: async (call, { query: snapshot }) => {
    await call.engine.volumes.snapshot(call.param("name"), snapshot);
    return { status: 201 };
  },
});

export const volumeSnapshotRestore = defineRoute({
  method: "POST",
  path: "/boxship/volumes/{name}/snapshots/{snapshot}/restore",
  doc: { state: "works", note: "extension: makes a volume's content what it was" },
  handle: async (call) => {
    await call.engine.volumes.restoreSnapshot(call.param("name"), call.param("snapshot"));
    return noContent;
  },
});

export const volumeSnapshotDelete = defineRoute({
  method: "DELETE",
  path: "/boxship/volumes/{name}/snapshots/{snapshot}",
  doc: { state: "works", note: "extension" },
  handle: async (call) => {
    await call.engine.volumes.removeSnapshot(call.param("name"), call.param("snapshot"));
    return noContent;
  },
});
