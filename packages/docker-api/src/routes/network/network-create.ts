import { created, defineRoute } from "../../http/route.ts";
import { decodeBody } from "../../wire/codec.ts";
import { createNetwork } from "../../wire/create-network.ts";

export const networkCreate = defineRoute({
  method: "POST",
  path: "/networks/create",
  doc: {
    state: "works",
    note: "`Ingress`, `ConfigOnly`, `ConfigFrom` and scopes other than local belong to swarm and are refused; a name is never given twice",
  },
  body: (body, context) => decodeBody(createNetwork, body, context),
  handle: async ({ engine }, { body }) => {
    const { id, warning } = await engine.networks.create(body);
    return created({ Id: id, Warning: warning });
  },
});
