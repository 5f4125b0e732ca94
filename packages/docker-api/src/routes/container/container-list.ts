import { Filters } from "../../http/filters.ts";
import { flag, integer } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeContainerSummary } from "../../view/container-summary.ts";
import { CONTAINER_FILTERS, filterContainers } from "./container-filter.ts";

export const containerList = defineRoute({
  method: "GET",
  path: "/containers/json",
  doc: { state: "works" },
  query: (query) => ({
    all: flag(query, "all"),
    size: flag(query, "size"),
    limit: integer(query, "limit") ?? 0,
    filters: Filters.from(query, CONTAINER_FILTERS),
  }),
  handle: async ({ engine, context, version }, { query: { all, size, limit, filters } }) => {
    const everything = all || limit > 0 || filters.has("status");
    const needsOrder = filters.has("before") || filters.has("since");
    const listed = await engine.containers.list({ all: everything || needsOrder, size });
    const wanted = await filterContainers(engine, listed, filters, { all: everything });
    const now = context.clock.now();
    const shown = limit > 0 ? wanted.slice(0, limit) : wanted;
    return ok(shown.map((view) => encodeContainerSummary(view, now, version)));
  },
});
