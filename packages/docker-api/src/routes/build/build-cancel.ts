import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const buildCancel = defineRoute({
  method: "POST",
  path: "/build/cancel",
  minVersion: 39,
  doc: { state: "works" },
  query: (query) => text(query, "id"),
  handle: (call, { query: id }) => {
    if (id === undefined) throw new InvalidArgument("build ID not provided", { remedy: "add id= to the query" });
    call.context.build?.cancel(id);
    return Promise.resolve(noContent);
  },
});
