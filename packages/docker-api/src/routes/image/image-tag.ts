import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";

export const imageTag = defineRoute({
  method: "POST",
  path: "/images/{name*}/tag",
  doc: { state: "works" },
  query: (query) => {
    const repository = text(query, "repo");
    if (repository === undefined) throw new InvalidArgument("parameter repo must name a repository");
    const tag = text(query, "tag");
    return tag === undefined ? repository : `${repository}:${tag}`;
  },
  handle: async (call, { query: target }) => {
    await call.engine.images.tag(call.param("name"), target);
    return { status: 201 };
  },
});
