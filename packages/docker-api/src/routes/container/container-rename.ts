import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const containerRename = defineRoute({
  method: "POST",
  path: "/containers/{id}/rename",
  doc: { state: "works" },
  query: (query) => {
    const name = text(query, "name")?.replace(/^\//, "");
    if (name === undefined || name === "") throw new InvalidArgument("neither old nor new names may be empty");
    return name;
  },
  handle: async (call, { query: name }) => {
    await call.engine.containers.rename(call.param("id"), name);
    return noContent;
  },
});
