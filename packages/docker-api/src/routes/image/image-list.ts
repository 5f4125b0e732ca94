import { Filters } from "../../http/filters.ts";
import { flag, text } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeImageSummary } from "../../view/image.ts";
import { filterImages, IMAGE_FILTERS } from "./image-filter.ts";

/** Before 1.41 there also was `filter`, a pattern of the repository. */
function filtersOf(query: URLSearchParams, version: number): Filters {
  const filters = Filters.from(query, IMAGE_FILTERS);
  const pattern = version < 41 ? text(query, "filter") : undefined;
  return pattern === undefined ? filters : filters.with("reference", pattern);
}

export const imageList = defineRoute({
  method: "GET",
  path: "/images/json",
  doc: {
    state: "works",
    note: "there are no intermediate images: `all` changes nothing",
    details: {
      all: { state: "differs", note: "changes nothing: there are no intermediate images" },
      digests: { state: "differs", note: "changes nothing: digests are always told, as Docker does" },
    },
  },
  query: (query, version) => ({
    filters: filtersOf(query, version),
    sharedSize: flag(query, "shared-size"),
    manifests: flag(query, "manifests"),
  }),
  handle: async ({ engine, version, context }, { query: { filters, sharedSize, manifests } }) => {
    const images = await filterImages(engine, await engine.images.list(), filters, context.clock.now());
    const counts = { sharedSize, containers: false, manifests };
    return ok(images.map((image) => encodeImageSummary(image, version, counts)));
  },
});
