import { Readable } from "node:stream";
import { Unsupported } from "@boxship/base";
import type { CacheMountDoor } from "../../build-door.ts";
import type { ApiCall } from "../../http/call.ts";
import { required } from "../../http/query.ts";
import { defineRoute, noContent, ok } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";

function mountsOf(call: ApiCall): CacheMountDoor {
  const { build } = call.context;
  if (build !== undefined) return build.mounts;
  throw new Unsupported("building images is not supported: this server has no builder");
}

export const cacheMountList = defineRoute({
  method: "GET",
  path: "/boxship/build/mounts",
  doc: { state: "works", note: "extension: directories of `RUN --mount=type=cache`, by id" },
  handle: async (call) => {
    const mounts = await mountsOf(call).list();
    return ok(
      mounts.map(({ id, size, inUse, created, lastUsed, uses }) => ({
        ID: id,
        Size: size,
        InUse: inUse,
        CreatedAt: new Date(created).toISOString(),
        LastUsedAt: new Date(lastUsed).toISOString(),
        UsageCount: uses,
      })),
    );
  },
});

export const cacheMountExport = defineRoute({
  method: "GET",
  path: "/boxship/build/mounts/export",
  doc: { state: "works", note: "extension: what the cache mount `id` holds, as a tar" },
  query: (query) => required(query, "id"),
  handle: async (call, { query: id }) => {
    const stream = Readable.from(mountsOf(call).export(id), { objectMode: false });
    await sendStream(call, stream, { "Content-Type": "application/x-tar" });
    return undefined;
  },
});

export const cacheMountImport = defineRoute({
  method: "POST",
  path: "/boxship/build/mounts/import",
  doc: {
    state: "works",
    note: "extension: puts a plain or compressed tar in the place of what the cache mount `id` holds",
  },
  query: (query) => required(query, "id"),
  handle: async (call, { query: id }) => {
    await mountsOf(call).import(id, call.request, call.signal);
    return noContent;
  },
});
