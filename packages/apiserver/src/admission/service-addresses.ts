import { randomInt } from "node:crypto";
import { failure, invalid, invalidObject, isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { objectKey } from "../storage/object-bytes.ts";

/** Of the addresses `10.96.0.1` to `10.96.255.254`. */
const PREFIX = [10, 96] as const;
const LOWEST_PORT = 30_000;
const PORTS = 2768;
const TRIES = 200;
/** How long something that was handed out is not handed out again although nobody has kept it. */
const RESERVED_MS = 30_000;

/** Gives services their addresses and node ports. */
export function serviceAddresses(context: () => ServerContext): AdmissionPlugin {
  const reserved = new Map<string, number>();
  return {
    name: "ServiceAddresses",
    async mutate(request) {
      const { kind, object, operation } = request;
      if (kind.group !== "" || kind.resource !== "services" || object === null || request.subresource !== "") return;
      if (operation !== "CREATE" && operation !== "UPDATE") return;
      const spec = object["spec"];
      if (!isObject(spec)) return;
      if (textAt(spec, "type") === "ExternalName") {
        for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) delete spec[field];
        return;
      }
      keepOld(spec, request);
      const used = await usedBy(context(), reserved, request);
      const reserve = (value: string): void => {
        if (!request.dryRun) reserved.set(value, context().clock.monotonic());
      };
      addressFor(request, spec, used, reserve);
      portsFor(request, spec, used, reserve);
    },
  };
}

/** An update that does not name what was given keeps it. */
function keepOld(spec: JsonObject, { oldObject }: AdmissionRequest): void {
  const old = oldObject?.["spec"];
  if (!isObject(old) || textAt(old, "type") === "ExternalName") return;
  for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
    const before = old[field];
    if ((spec[field] === undefined || spec[field] === "") && before !== undefined) spec[field] = before;
  }
  for (const port of listAt(spec, "ports")) {
    const before = listAt(old, "ports").find(
      (one) => textAt(one, "port") === textAt(port, "port") && textAt(one, "protocol") === textAt(port, "protocol"),
    );
    const nodePort = isObject(before) ? before["nodePort"] : undefined;
    if (isObject(port) && wantsNodePorts(spec) && !port["nodePort"] && nodePort !== undefined)
      port["nodePort"] = nodePort;
  }
}

const wantsNodePorts = (spec: Json): boolean => ["LoadBalancer", "NodePort"].includes(textAt(spec, "type"));

/** Addresses and ports of all services but the one itself, and what was handed out a moment ago. */
async function usedBy(
  { objects, kinds, clock }: ServerContext,
  reserved: Map<string, number>,
  { name: self, namespace, oldObject }: AdmissionRequest,
): Promise<Set<string>> {
  for (const [value, since] of reserved) if (clock.monotonic() - since > RESERVED_MS) reserved.delete(value);
  const used = new Set(reserved.keys());
  const services = kinds.find("", "v1", "services");
  if (services === undefined) return used;
  const cache = await objects.freshCache(services);
  const own = objectKey(services, namespace, self);
  for (const cached of cache.between("", "")) {
    if (self !== "" && cached.key === own) continue;
    used.add(textAt(cached.fields(services), "spec", "clusterIP"));
    if (!cached.bytes.includes('"nodePort"')) continue;
    for (const port of listAt(cached.parse(), "spec", "ports")) used.add(textAt(port, "nodePort"));
  }
  // What was handed out to itself a moment ago is its own.
  used.delete(textAt(oldObject ?? undefined, "spec", "clusterIP"));
  for (const port of listAt(oldObject ?? undefined, "spec", "ports")) used.delete(textAt(port, "nodePort"));
  return used;
}

function addressFor(
  { object, kind }: AdmissionRequest,
  spec: JsonObject,
  used: ReadonlySet<string>,
  reserve: (value: string) => void,
): void {
  let address = textAt(spec, "clusterIP");
  if (address === "") {
    address = draw(used, () => [...PREFIX, randomInt(1, 255), randomInt(1, 255)].join("."), "addresses of services");
    reserve(address);
  } else if (address !== "None" && used.has(address)) {
    throw invalidObject({ group: kind.group, resource: kind.kind }, object?.metadata.name ?? "", [
      invalid("spec.clusterIPs", [address], `failed to allocate IP ${address}: provided IP is already allocated`),
    ]);
  }
  spec["clusterIP"] = address;
  spec["clusterIPs"] = [address];
  spec["ipFamilies"] ??= ["IPv4"];
  spec["ipFamilyPolicy"] ??= "SingleStack";
}

function portsFor(
  { object, kind }: AdmissionRequest,
  spec: JsonObject,
  used: Set<string>,
  reserve: (value: string) => void,
): void {
  for (const [index, port] of listAt(spec, "ports").entries()) {
    if (!isObject(port)) continue;
    if (!wantsNodePorts(spec) || spec["allocateLoadBalancerNodePorts"] === false) {
      delete port["nodePort"];
      continue;
    }
    const wanted = textAt(port, "nodePort");
    if (wanted === "" || wanted === "0") {
      const drawn = draw(used, () => String(LOWEST_PORT + randomInt(PORTS)), "node ports");
      port["nodePort"] = Number(drawn);
      used.add(drawn);
      reserve(drawn);
      continue;
    }
    const number = Number(wanted);
    const why =
      number < LOWEST_PORT || number >= LOWEST_PORT + PORTS
        ? `provided port is not in the valid range. The range of valid ports is ${LOWEST_PORT}-${LOWEST_PORT + PORTS - 1}`
        : "provided port is already allocated";
    if (why.includes("range") || used.has(wanted)) {
      throw invalidObject({ group: kind.group, resource: kind.kind }, object?.metadata.name ?? "", [
        invalid(`spec.ports[${index}].nodePort`, number, why),
      ]);
    }
  }
}

function draw(used: ReadonlySet<string>, candidate: () => string, what: string): string {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const drawn = candidate();
    if (!used.has(drawn)) return drawn;
  }
  throw failure("InternalError", `Internal error occurred: there are no free ${what}`);
}
