import { InvalidArgument } from "@boxship/base";
import type { CreateNetworkRequest } from "@boxship/engine";
import { boolean, type Codec, field, list, map, object, type RefusedField, string } from "./codec.ts";

type Ipam = NonNullable<CreateNetworkRequest["ipam"]>;
type Pool = NonNullable<Ipam["config"]>[number];

const pool = object<Pool>("IPAMConfig", {
  subnet: field("Subnet", string),
  ipRange: field("IPRange", string),
  gateway: field("Gateway", string),
  auxiliaryAddresses: field("AuxiliaryAddresses", map(string)),
});

const ipam = object<Ipam>("IPAM", {
  driver: field("Driver", string),
  options: field("Options", map(string), { keepZero: true }),
  config: field("Config", list(pool)),
});

const SWARM = "it belongs to swarm";

const REFUSED: readonly RefusedField[] = [
  { wire: "Ingress", reason: SWARM },
  { wire: "ConfigOnly", reason: SWARM },
  { wire: "Scope", reason: SWARM, harmless: ["local"] },
];

interface Wire extends CreateNetworkRequest {
  readonly configFrom?: { readonly network?: string };
}

const fields = object<Wire>(
  "CreateRequest",
  {
    name: field("Name", string, { absent: "" }),
    driver: field("Driver", string),
    internal: field("Internal", boolean),
    attachable: field("Attachable", boolean),
    enableIPv4: field("EnableIPv4", boolean, { since: 47 }),
    enableIPv6: field("EnableIPv6", boolean),
    ipam: field("IPAM", ipam),
    options: field("Options", map(string)),
    labels: field("Labels", map(string)),
    configFrom: field(
      "ConfigFrom",
      object<{ readonly network?: string }>("ConfigReference", { network: field("Network", string) }),
    ),
  },
  REFUSED,
);

/** The body of `networks/create`. */
export const createNetwork: Codec<CreateNetworkRequest> = {
  type: "CreateRequest",
  decode(value, at, context) {
    const { configFrom, ...request } = fields.decode(value, at, context);
    if (configFrom?.network !== undefined)
      throw new InvalidArgument("ConfigFrom is not supported: it belongs to swarm");
    if (request.name === "") throw new InvalidArgument("invalid network name: it is empty");
    return request;
  },
  encode: (value, version) => fields.encode(value, version),
};
