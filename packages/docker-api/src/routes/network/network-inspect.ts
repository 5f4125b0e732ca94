import { NotFound } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeNetwork } from "../../view/network.ts";

export const networkInspect = defineRoute({
  method: "GET",
  path: "/networks/{id}",
  doc: {
    state: "works",
    note: "`verbose` adds what swarm knows of a network: nothing here",
    details: { verbose: { state: "differs", note: "changes nothing: it adds what swarm knows of a network" } },
  },
  query: (query) => text(query, "scope"),
  handle: async (call, { query: scope }) => {
    const ref = call.param("id");
    if (scope !== undefined && scope !== "local") {
      throw new NotFound(`network ${ref} not found in scope ${scope}`, { subject: { kind: "network", name: ref } });
    }
    return ok(encodeNetwork(await call.engine.networks.get(ref), call.version, true));
  },
});
