import { flag } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeImageInspect } from "../../view/image.ts";
import { platformOf, requirePlatform } from "./image-platform.ts";

/** It takes whatever version there is, and makes no container anew without the `ContainerConfig` of its image. */
const COMPOSE_1 = /^docker-compose\/1\./;

export const imageInspect = defineRoute({
  method: "GET",
  path: "/images/{name*}/json",
  doc: { state: "works" },
  query: (query, version) => ({
    manifests: flag(query, "manifests"),
    platform: version < 49 ? undefined : platformOf(query),
  }),
  handle: async (call, { query }) => {
    const image = requirePlatform(await call.engine.images.get(call.param("name")), query.platform);
    const outdated = COMPOSE_1.test(call.request.headers["user-agent"] ?? "");
    return ok(encodeImageInspect(image, call.version, { manifests: query.manifests, outdated }));
  },
});
