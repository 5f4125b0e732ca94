import { defineRoute, ok } from "../../http/route.ts";

const KINDS = { modified: 0, added: 1, deleted: 2 } as const;

export const containerChanges = defineRoute({
  method: "GET",
  path: "/containers/{id}/changes",
  doc: { state: "differs", note: "what is there only to mount something on it is not shown" },
  handle: async (call) => {
    const changes = await call.engine.containers.changes(call.param("id"));
    return ok(changes.map(({ path, kind }) => ({ Path: path, Kind: KINDS[kind] })));
  },
});
