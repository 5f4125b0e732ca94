import { randomInt } from "node:crypto";
import {
  type FieldError,
  failure,
  invalid,
  invalidObject,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  textAt,
} from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { listOf, NONE, settleFamilies } from "./service-families.ts";
import type { IpFamily, ServiceNetworks } from "./service-networks.ts";

const LOWEST_PORT = 30_000;
const PORTS = 2768;
const TRIES = 200;
/** How long something that was handed out is not handed out again although nobody has kept it. */
const RESERVED_MS = 30_000;

/** Gives services their addresses and node ports. */
export function serviceAddresses(context: () => ServerContext, networks: ServiceNetworks): AdmissionPlugin {
  const reserved = new Map<string, number>();
  return {
    name: "ServiceAddresses",
    async mutate(request) {
      const { kind, object, operation } = request;
      if (kind.group !== "" || kind.resource !== "services" || request.subresource !== "") return;
      // What it was given is anybody's now.
      if (operation === "DELETE") for (const value of valuesOf(request.oldObject ?? undefined)) reserved.delete(value);
      if (object === null) return;
      if (operation !== "CREATE" && operation !== "UPDATE") return;
      const spec = object["spec"];
      if (!isObject(spec)) return;
      if (textAt(spec, "type") === "ExternalName") {
        for (const field of GIVEN) delete spec[field];
        return;
      }
      const old = request.oldObject?.["spec"];
      const before = isObject(old) && textAt(old, "type") !== "ExternalName" ? old : undefined;
      if (before !== undefined) keepOld(spec, before);
      const errors = settleFamilies(spec, before, networks);
      if (errors.length > 0) throw refusal(request, errors);
      const used = await usedBy(context(), reserved, request);
      const reserve = (value: string): void => {
        if (!request.dryRun) reserved.set(value, context().clock.monotonic());
      };
      addressesFor(request, spec, networks, { used, reserve, before: listOf(before, "clusterIPs") });
      portsFor(request, spec, used, reserve);
      healthPortFor(request, spec, used, reserve);
    },
  };
}

/** What an update that does not name it keeps. */
const GIVEN = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"];

function refusal({ object, kind }: AdmissionRequest, errors: readonly FieldError[]): Error {
  return invalidObject({ group: kind.group, resource: kind.kind }, object?.metadata.name ?? "", errors);
}

/** An update that does not name what was given keeps it. */
function keepOld(spec: JsonObject, old: JsonObject): void {
  if (textAt(spec, "clusterIP") === "" && listOf(spec, "clusterIPs").length === 0) {
    spec["clusterIP"] = old["clusterIP"] ?? "";
  }
  const first = textAt(spec, "clusterIP");
  const isListed = listOf(spec, "clusterIPs").join() === listOf(old, "clusterIPs").join();
  // Who changes the first one alone means the list, too.
  if (first !== "" && first !== textAt(old, "clusterIP") && isListed) spec["clusterIPs"] = [first];
  if (listOf(spec, "clusterIPs").length === 0 && first === textAt(old, "clusterIP")) {
    spec["clusterIPs"] = [...listOf(old, "clusterIPs")];
  }
  if (!spec["healthCheckNodePort"] && old["healthCheckNodePort"]) {
    spec["healthCheckNodePort"] = old["healthCheckNodePort"];
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
    for (const value of valuesIn(cached)) used.add(value);
  }
  // What was handed out to itself a moment ago is its own.
  for (const value of valuesOf(oldObject ?? undefined)) {
    used.delete(value);
    // It is kept: from here on the service itself stands for it.
    reserved.delete(value);
  }
  return used;
}

const known = new WeakMap<CachedObject, readonly string[]>();

/** The same, read once: each service that is made looks at all others. */
function valuesIn(cached: CachedObject): readonly string[] {
  const before = known.get(cached);
  if (before !== undefined) return before;
  const values = valuesOf(cached.parse());
  known.set(cached, values);
  return values;
}

/** Addresses and ports that a service has. */
function valuesOf(service: Json | undefined): readonly string[] {
  return [
    ...listAt(service, "spec", "clusterIPs").map(String),
    ...listAt(service, "spec", "ports").map((port) => textAt(port, "nodePort")),
    textAt(service, "spec", "healthCheckNodePort"),
  ].filter((value) => value !== "" && value !== "0");
}

interface Taken {
  readonly used: ReadonlySet<string>;
  readonly reserve: (value: string) => void;
  /** What it had. */
  readonly before: readonly string[];
}

/** Draws addresses for the families that have none yet. */
function addressesFor(
  request: AdmissionRequest,
  spec: JsonObject,
  networks: ServiceNetworks,
  { used, reserve, before }: Taken,
): void {
  const asked = listOf(spec, "clusterIPs");
  if (asked[0] === NONE) return;
  const addresses = listOf(spec, "ipFamilies").map((family, index) => {
    const address = asked[index];
    if (address === undefined) {
      const drawn = draw(used, () => networks.draw(family as IpFamily), "addresses of services");
      reserve(drawn);
      return drawn;
    }
    const outside = before.includes(address) ? undefined : networks.refuse(address);
    const why = outside ?? (used.has(address) ? "provided IP is already allocated" : undefined);
    if (why !== undefined) {
      const error = invalid("spec.clusterIPs", [...asked], `failed to allocate IP ${address}: ${why}`);
      throw refusal(request, [error]);
    }
    return address;
  });
  spec["clusterIPs"] = addresses;
  spec["clusterIP"] = addresses[0] ?? "";
}

/** Where balancers of others ask whether this node has endpoints. */
function healthPortFor(
  request: AdmissionRequest,
  spec: JsonObject,
  used: Set<string>,
  reserve: (value: string) => void,
): void {
  if (textAt(spec, "type") !== "LoadBalancer" || textAt(spec, "externalTrafficPolicy") !== "Local") {
    delete spec["healthCheckNodePort"];
    return;
  }
  const wanted = textAt(spec, "healthCheckNodePort");
  if (wanted === "" || wanted === "0") {
    const drawn = draw(used, () => String(LOWEST_PORT + randomInt(PORTS)), "node ports");
    spec["healthCheckNodePort"] = Number(drawn);
    reserve(drawn);
    return;
  }
  const why = portRefusal(wanted, used);
  if (why !== undefined) throw refusal(request, [invalid("spec.healthCheckNodePort", Number(wanted), why)]);
}

function portRefusal(wanted: string, used: ReadonlySet<string>): string | undefined {
  const number = Number(wanted);
  if (number < LOWEST_PORT || number >= LOWEST_PORT + PORTS) {
    return `provided port is not in the valid range. The range of valid ports is ${LOWEST_PORT}-${LOWEST_PORT + PORTS - 1}`;
  }
  return used.has(wanted) ? "provided port is already allocated" : undefined;
}

function portsFor(
  request: AdmissionRequest,
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
    const why = portRefusal(wanted, used);
    if (why !== undefined) throw refusal(request, [invalid(`spec.ports[${index}].nodePort`, Number(wanted), why)]);
  }
}

function draw(used: ReadonlySet<string>, candidate: () => string, what: string): string {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const drawn = candidate();
    if (!used.has(drawn)) return drawn;
  }
  throw failure("InternalError", `Internal error occurred: there are no free ${what}`);
}
