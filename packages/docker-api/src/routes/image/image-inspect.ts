import { flag } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeImageInspect } from "../../view/image.ts";

export const imageInspect = defineRoute({
  method: "GET",
  path: "/images/{name*}/json",
  doc: { state: "works" },
  query: (query) => ({ manifests: flag(query, "manifests") }),
  handle: async (call, { query }) => {
    const image = await call.engine.images.get(call.param("name"));
    return ok(encodeImageInspect(image, call.version, query.manifests));
  },
});
