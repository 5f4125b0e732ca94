import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeNetwork } from "../../view/network.ts";
import { NETWORK_FILTERS, networkFilter } from "./network-filter.ts";

export const networkList = defineRoute({
  method: "GET",
  path: "/networks",
  doc: { state: "works" },
  query: (query) => Filters.from(query, NETWORK_FILTERS),
  handle: async ({ engine, version }, { query: filters }) => {
    const filter = await networkFilter(filters);
    const networks = (await engine.networks.list()).filter(filter);
    return ok(networks.map((network) => encodeNetwork(network, version, version < 28)));
  },
});
