import { parseUnixSeconds } from "../../format/time.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { platformOf, requirePlatform } from "./image-platform.ts";

export const imageHistory = defineRoute({
  method: "GET",
  path: "/images/{name*}/history",
  doc: { state: "works" },
  query: (query, version) => (version < 48 ? undefined : platformOf(query)),
  handle: async (call, { query: platform }) => {
    if (platform !== undefined) requirePlatform(await call.engine.images.get(call.param("name")), platform);
    const entries = await call.engine.images.history(call.param("name"));
    return ok(
      entries.map((entry) => ({
        Id: entry.id,
        Created: parseUnixSeconds(entry.created),
        CreatedBy: entry.createdBy,
        Tags: entry.tags.length === 0 ? null : entry.tags,
        Size: entry.size,
        Comment: entry.comment,
      })),
    );
  },
});
