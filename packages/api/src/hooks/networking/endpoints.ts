import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { tooMany } from "../../status/field-error.ts";
import {
  addressWarnings,
  canonicalAddressName,
  checkAddress,
  checkEndpointAddress,
  parseLoosely,
} from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../../validation/names.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";

function checkProtocol(found: Findings, at: string, port: Json): void {
  const [protocol, application] = [textAt(port, "protocol"), valueAt(port, "appProtocol")];
  if (protocol === "") found.required(`${at}.protocol`);
  else found.oneOf(`${at}.protocol`, protocol, PROTOCOLS);
  if (typeof application === "string") found.name(qualifiedName, `${at}.appProtocol`, application);
}

/** What was wrong before may stay where nothing of it changes. */
const unchanged = (field: string, object: KubeObject, old: KubeObject | undefined): boolean =>
  old !== undefined && deepEqual(object[field] ?? [], old[field] ?? []);

function checkEndpoint(found: Findings, at: string, address: Json): void {
  const ip = textAt(address, "ip");
  checkAddress(found, `${at}.ip`, ip);
  const [hostname, node] = [textAt(address, "hostname"), valueAt(address, "nodeName")];
  if (hostname !== "") found.name(dnsLabel, `${at}.hostname`, hostname);
  if (typeof node === "string") found.name(dnsSubdomain, `${at}.nodeName`, node);
  checkEndpointAddress(found, `${at}.ip`, ip);
}

const LISTS = ["addresses", "notReadyAddresses"] as const;

function checkSubset(found: Findings, at: string, subset: Json): void {
  if (LISTS.every((list) => listAt(subset, list).length === 0))
    found.required(at, "must specify `addresses` or `notReadyAddresses`");
  for (const list of LISTS) {
    for (const [index, address] of listAt(subset, list).entries())
      checkEndpoint(found, `${at}.${list}[${index}]`, address);
  }
  const ports = listAt(subset, "ports");
  for (const [index, port] of ports.entries()) {
    const here = `${at}.ports[${index}]`;
    const name = textAt(port, "name");
    if (name !== "") found.name(dnsLabel, `${here}.name`, name);
    else if (ports.length > 1) found.required(`${here}.name`);
    found.port(`${here}.port`, valueAt(port, "port"));
    checkProtocol(found, here, port);
  }
}

/** `core/v1.Endpoints` */
export const endpoints: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    unchanged("subsets", object, old)
      ? []
      : findingsOf((found) => {
          for (const [index, subset] of listAt(object, "subsets").entries())
            checkSubset(found, `subsets[${index}]`, subset);
        }),
  warnings: (object) =>
    object.metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller"
      ? []
      : listAt(object, "subsets").flatMap((subset, index) =>
          LISTS.flatMap((list) =>
            listAt(subset, list).flatMap((address, place) =>
              addressWarnings(`subsets[${index}].${list}[${place}].ip`, textAt(address, "ip")),
            ),
          ),
        ),
};

const MOST = { addresses: 100, endpoints: 1000, hints: 8, ports: 20_000, topology: 16 } as const;
const TYPES = ["FQDN", "IPv4", "IPv6"];

/** An address by which a host is found everywhere. */
function checkDomain(found: Findings, field: string, name: string): void {
  if (name === "") {
    found.required(field);
    return;
  }
  const plain = name.endsWith(".") ? name.slice(0, -1) : name;
  const problems = dnsSubdomain(plain);
  if (problems.length > 0) found.invalid(field, plain, problems.join(","));
  else if (!plain.includes("."))
    found.invalid(field, plain, "should be a domain with at least two segments separated by dots");
  else {
    const wrong = plain.split(".").find((label) => dnsLabel(label).length > 0);
    if (wrong !== undefined) found.invalid(field, wrong, dnsLabel(wrong).join(","));
  }
}

function checkSliceAddress(found: Findings, at: string, index: number, text: string, type: string): void {
  const field = `${at}[${index}]`;
  if (type === "FQDN") checkDomain(found, field, text);
  if (type !== "IPv4" && type !== "IPv6") return;
  const before = found.all.length;
  if (type === "IPv4") checkAddress(found, field, text);
  else found.name(canonicalAddressName, field, text);
  if (found.all.length > before) return;
  const family = parseLoosely(text)?.family;
  if (family !== (type === "IPv4" ? 4 : 6)) found.invalid(at, text, `must be an ${type} address`);
  // What the cluster's own process serves is reached where that listens.
  checkEndpointAddress(found, field, text, true);
}

function checkHints(found: Findings, at: string, hints: Json): void {
  for (const [list, rule] of [
    ["forZones", labelValue],
    ["forNodes", dnsSubdomain],
  ] as const) {
    const names = listAt(hints, list).map((hint) => textAt(hint, "name"));
    if (names.length > MOST.hints) {
      found.tooMany(`${at}.${list}`, names.length, MOST.hints);
      return;
    }
    for (const [index, name] of names.entries()) {
      const field = `${at}.${list}[${index}].name`;
      if (names.indexOf(name) !== index) found.duplicate(field, name);
      found.name(rule, field, name);
    }
  }
}

function checkSliceEndpoint(found: Findings, at: string, endpoint: Json, type: string): void {
  const addresses = listAt(endpoint, "addresses");
  if (addresses.length === 0) found.required(`${at}.addresses`, "must contain at least 1 address");
  else if (addresses.length > MOST.addresses) found.tooMany(`${at}.addresses`, addresses.length, MOST.addresses);
  for (const [index, address] of addresses.entries())
    checkSliceAddress(found, `${at}.addresses`, index, textAt(address), type);
  const [node, host] = [valueAt(endpoint, "nodeName"), valueAt(endpoint, "hostname")];
  if (typeof node === "string") found.name(dnsSubdomain, `${at}.nodeName`, node);
  const topology = valueAt(endpoint, "deprecatedTopology");
  if (isObject(topology)) {
    const field = `${at}.deprecatedTopology`;
    const size = Object.keys(topology).length;
    if (size > MOST.topology) found.tooMany(field, size, MOST.topology);
    found.labels(field, topology);
  }
  if (typeof host === "string") found.name(dnsLabel, `${at}.hostname`, host);
  const hints = valueAt(endpoint, "hints");
  if (isObject(hints)) checkHints(found, `${at}.hints`, hints);
}

function checkSlicePorts(found: Findings, ports: readonly Json[]): void {
  if (ports.length > MOST.ports) {
    found.tooMany("ports", ports.length, MOST.ports);
    return;
  }
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `ports[${index}]`;
    const name = textAt(port, "name");
    if (name !== "") found.name(dnsLabel, `${at}.name`, name);
    if (names.has(name)) found.duplicate(`${at}.name`, name);
    names.add(name);
    checkProtocol(found, at, port);
  }
}

/** Of this version, where an endpoint is says its own field: what others said before stays where nothing changes. */
function dropTopology(object: KubeObject, old?: KubeObject): void {
  if (unchanged("endpoints", object, old)) return;
  const known = new Set(
    listAt(old, "endpoints").map((one) => textAt(one, "deprecatedTopology", "kubernetes.io/hostname")),
  );
  for (const endpoint of listAt(object, "endpoints")) {
    if (!isObject(endpoint)) continue;
    const host = textAt(endpoint, "deprecatedTopology", "kubernetes.io/hostname");
    if (host !== "" && known.has(host) && dnsSubdomain(host).length === 0) endpoint["nodeName"] ??= host;
    delete endpoint["deprecatedTopology"];
  }
}

/** `discovery/v1.EndpointSlice` */
export const endpointSlice: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  prepareCreate: (object) => dropTopology(object),
  prepareUpdate: (object, old) => dropTopology(object, old),
  validate: (object, old) =>
    findingsOf((found) => {
      const type = textAt(object, "addressType");
      if (type === "") found.required("addressType");
      else found.oneOf("addressType", type, TYPES);
      checkSlicePorts(found, listAt(object, "ports"));
      const all = listAt(object, "endpoints");
      if (all.length > MOST.endpoints && !unchanged("endpoints", object, old))
        found.add(tooMany("endpoints", all.length, MOST.endpoints));
      else if (!unchanged("endpoints", object, old))
        for (const [index, endpoint] of all.entries()) checkSliceEndpoint(found, `endpoints[${index}]`, endpoint, type);
      if (old !== undefined) found.immutable("addressType", type, textAt(old, "addressType"));
    }),
  warnings(object, old) {
    const manager = object.metadata.labels?.[MANAGED_BY] ?? "";
    const ours =
      manager === "endpointslice-controller.k8s.io" || manager === "endpointslicemirroring-controller.k8s.io";
    return [
      ...(old === undefined && textAt(object, "addressType") === "FQDN"
        ? ["spec.addressType: FQDN endpoints are deprecated"]
        : []),
      ...(ours
        ? []
        : listAt(object, "endpoints").flatMap((endpoint, index) =>
            listAt(endpoint, "addresses").flatMap((address, place) =>
              addressWarnings(`endpoints[${index}].addresses[${place}]`, textAt(address)),
            ),
          )),
    ];
  },
};
