import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import {
  addressWarnings,
  checkAddress,
  checkEndpointAddress,
  checkNetwork,
  networkWarnings,
  parseLoosely,
} from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, qualifiedName } from "../../validation/names.ts";
import { checkPort } from "../pods/handlers.ts";
import { checkAddressChanges, checkServiceAddresses } from "./service-addresses.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const LONGEST_AFFINITY = 86_400;
const RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const HINTS = "service.kubernetes.io/topology-aware-hints";
const MODE = "service.kubernetes.io/topology-mode";
const ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'";

const typeOf = (spec: Json | undefined): string => textAt(spec, "type");
const isHeadless = (spec: Json | undefined): boolean => {
  const addresses = listAt(spec, "clusterIPs");
  return addresses.length > 0
    ? addresses.length === 1 && addresses[0] === "None"
    : textAt(spec, "clusterIP") === "None";
};
const hasNodePorts = (spec: Json | undefined): boolean => ["NodePort", "LoadBalancer"].includes(typeOf(spec));
const isReachedFromOutside = (spec: Json | undefined): boolean =>
  hasNodePorts(spec) || (typeOf(spec) === "ClusterIP" && listAt(spec, "externalIPs").length > 0);
const isChecked = (spec: Json | undefined): boolean =>
  typeOf(spec) === "LoadBalancer" && textAt(spec, "externalTrafficPolicy") === "Local";

function checkType(found: Findings, spec: Json | undefined): void {
  const type = typeOf(spec);
  if (hasNodePorts(spec) && isHeadless(spec))
    found.invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`);
  if (type !== "ExternalName") return;
  for (const field of ["clusterIPs", "ipFamilies"])
    if (listAt(spec, field).length > 0) found.forbidden(`spec.${field}`, "may not be set for ExternalName services");
  if (textAt(spec, "ipFamilyPolicy") !== "")
    found.forbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services");
  found.requiredName(dnsSubdomain, "spec.externalName", textAt(spec, "externalName").replace(/\.$/, ""));
}

/** A port as messages print it. */
const printedPort = (protocol: string, port: Json): JsonObject => ({
  Name: "",
  Protocol: protocol,
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
});

function checkPorts(found: Findings, spec: Json | undefined): void {
  const ports = listAt(spec, "ports");
  const [names, taken, nodePorts] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const [name, protocol] = [textAt(port, "name"), textAt(port, "protocol")];
    if (name === "" && ports.length > 1) found.required(`${at}.name`);
    else if (name !== "") {
      found.name(dnsLabel, `${at}.name`, name);
      if (names.has(name)) found.duplicate(`${at}.name`, name);
      names.add(name);
    }
    found.port(`${at}.port`, valueAt(port, "port"));
    found.oneOf(`${at}.protocol`, protocol, PROTOCOLS);
    const target = valueAt(port, "targetPort");
    if (target !== undefined) checkPort(found, `${at}.targetPort`, target);
    const application = valueAt(port, "appProtocol");
    if (typeof application === "string") found.name(qualifiedName, `${at}.appProtocol`, application);
    const nodePort = Number(valueAt(port, "nodePort") ?? 0);
    if (nodePort !== 0) {
      if (typeOf(spec) === "ClusterIP") found.forbidden(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'");
      const key = `${protocol} ${nodePort}`;
      if (nodePorts.has(key)) found.duplicate(`${at}.nodePort`, nodePort);
      nodePorts.add(key);
    }
    const key = `${protocol} ${textAt(port, "port")}`;
    if (taken.has(key)) found.duplicate(at, printedPort(protocol, valueAt(port, "port") ?? 0));
    taken.add(key);
  }
}

function checkAffinity(found: Findings, spec: Json | undefined): void {
  const [affinity, config] = [textAt(spec, "sessionAffinity"), valueAt(spec, "sessionAffinityConfig")];
  if (affinity === "") found.required("spec.sessionAffinity");
  else found.oneOf("spec.sessionAffinity", affinity, ["ClientIP", "None"]);
  const at = "spec.sessionAffinityConfig";
  if (affinity === "None" && isObject(config)) found.forbidden(at, "must not be set when session affinity is None");
  if (affinity !== "ClientIP") return;
  const needed = "when session affinity type is ClientIP";
  const seconds = valueAt(config, "clientIP", "timeoutSeconds");
  if (!isObject(config)) found.required(at, needed);
  else if (!isObject(config["clientIP"])) found.required(`${at}.clientIP`, needed);
  else if (typeof seconds !== "number") found.required(`${at}.clientIP.timeoutSeconds`, needed);
  else if (seconds <= 0 || seconds > LONGEST_AFFINITY) {
    const why = `must be greater than 0 and less than ${LONGEST_AFFINITY}`;
    found.invalid(`${at}.clientIP.timeoutSeconds`, seconds, why);
  }
}

const textsAt = (value: Json | undefined, ...path: readonly string[]): readonly string[] =>
  listAt(value, ...path).map((one) => textAt(one));

function checkRanges(found: Findings, { metadata, spec }: KubeObject, old: KubeObject | undefined): void {
  const ranges = textsAt(spec, "loadBalancerSourceRanges");
  const isBalanced = typeOf(spec) === "LoadBalancer";
  const annotation = metadata.annotations?.[RANGES];
  if (ranges.length > 0) {
    // It is called so in messages alone.
    const field = "spec.LoadBalancerSourceRanges";
    if (!isBalanced) found.forbidden(field, ONLY_BALANCED);
    const known = textsAt(old, "spec", "loadBalancerSourceRanges").map((one) => one.trim());
    for (const [index, range] of ranges.entries()) checkNetwork(found, `${field}[${index}]`, range.trim(), known);
  } else if (annotation !== undefined) {
    const field = `metadata.annotations[${RANGES}]`;
    if (!isBalanced) found.forbidden(field, ONLY_BALANCED);
    if (old?.metadata.annotations?.[RANGES] === annotation || annotation.trim() === "") return;
    for (const range of annotation.split(",")) checkNetwork(found, field, range.trim());
  }
}

function checkTraffic(found: Findings, spec: Json | undefined): void {
  const external = textAt(spec, "externalTrafficPolicy");
  if (!isReachedFromOutside(spec)) {
    const why = "may only be set for externally-accessible services";
    if (external !== "") found.invalid("spec.externalTrafficPolicy", external, why);
  } else if (external === "") found.required("spec.externalTrafficPolicy");
  else found.oneOf("spec.externalTrafficPolicy", external, ["Cluster", "Local"]);
  const health = Number(valueAt(spec, "healthCheckNodePort") ?? 0);
  if (!isChecked(spec)) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    if (health !== 0) found.invalid("spec.healthCheckNodePort", health, why);
  } else if (health !== 0) found.port("spec.healthCheckNodePort", health);
  const internal = valueAt(spec, "internalTrafficPolicy");
  if ((internal ?? null) === null && typeOf(spec) !== "ExternalName") found.required("spec.internalTrafficPolicy");
  found.oneOf("spec.internalTrafficPolicy", internal, ["Cluster", "Local"]);
  found.oneOf("spec.trafficDistribution", valueAt(spec, "trafficDistribution"), [
    "PreferClose",
    "PreferSameZone",
    "PreferSameNode",
  ]);
}

function checkBalancer(found: Findings, spec: Json | undefined): void {
  const isBalanced = typeOf(spec) === "LoadBalancer";
  if (isBalanced && typeof valueAt(spec, "allocateLoadBalancerNodePorts") !== "boolean")
    found.required("allocateLoadBalancerNodePorts");
  if (!isBalanced && typeof valueAt(spec, "allocateLoadBalancerNodePorts") === "boolean")
    found.forbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCED);
  const name = valueAt(spec, "loadBalancerClass");
  if (typeof name !== "string") return;
  if (isBalanced) found.name(qualifiedName, "spec.loadBalancerClass", name);
  else found.forbidden("spec.loadBalancerClass", ONLY_BALANCED);
}

function checkService(found: Findings, object: KubeObject, old: KubeObject | undefined): void {
  const { metadata, spec } = object;
  const [hints, mode] = [metadata.annotations?.[HINTS], metadata.annotations?.[MODE]];
  if (mode !== undefined && hints !== undefined && mode !== hints)
    found.invalid(`metadata.annotations[${MODE}]`, mode, `must match annotations[${HINTS}] when both are specified`);
  const type = typeOf(spec);
  if (listAt(spec, "ports").length === 0 && !isHeadless(spec) && type !== "ExternalName") found.required("spec.ports");
  checkType(found, spec);
  checkPorts(found, spec);
  found.labels("spec.selector", valueAt(spec, "selector"));
  checkAffinity(found, spec);
  checkServiceAddresses(found, spec, old?.["spec"]);
  const known = textsAt(old, "spec", "externalIPs");
  for (const [index, address] of textsAt(spec, "externalIPs").entries()) {
    const field = `spec.externalIPs[${index}]`;
    if (checkAddress(found, field, address, known)) checkEndpointAddress(found, field, address);
  }
  if (type === "") found.required("spec.type");
  else found.oneOf("spec.type", type, TYPES);
  checkRanges(found, object, old);
  checkBalancer(found, spec);
  checkTraffic(found, spec);
}

/** What a service has for its type goes with it, unless the change says something else of it. */
function dropForType(object: KubeObject, old: KubeObject): void {
  const [spec, before] = [object["spec"], old["spec"]];
  if (!isObject(spec) || !isObject(before)) return;
  const drop = (isNeeded: (one: Json | undefined) => boolean, ...fields: readonly string[]): void => {
    if (!isNeeded(before) || isNeeded(spec)) return;
    for (const field of fields) if (deepEqual(spec[field] ?? null, before[field] ?? null)) delete spec[field];
  };
  drop(isChecked, "healthCheckNodePort");
  drop((one) => typeOf(one) === "LoadBalancer", "allocateLoadBalancerNodePorts", "loadBalancerClass");
  drop(isReachedFromOutside, "externalTrafficPolicy");
  const nodePorts = (one: JsonObject): Json[] => listAt(one, "ports").map((port) => valueAt(port, "nodePort") ?? 0);
  if (!hasNodePorts(before) || hasNodePorts(spec) || !deepEqual(nodePorts(spec), nodePorts(before))) return;
  for (const port of listAt(spec, "ports")) if (isObject(port)) delete port["nodePort"];
}

function applyDefaults(object: KubeObject): void {
  const own = object["spec"];
  if (!isObject(own)) return;
  for (const port of listAt(own, "ports")) {
    if (isObject(port) && (port["targetPort"] === undefined || port["targetPort"] === 0 || port["targetPort"] === ""))
      port["targetPort"] = port["port"] ?? 0;
  }
  const type = typeOf(own);
  if (type === "LoadBalancer") own["allocateLoadBalancerNodePorts"] ??= true;
  if (isReachedFromOutside(own)) own["externalTrafficPolicy"] ??= "Cluster";
  if (type === "ExternalName") delete own["internalTrafficPolicy"];
  if (own["sessionAffinity"] === "ClientIP") own["sessionAffinityConfig"] ??= { clientIP: { timeoutSeconds: 10800 } };
  if (own["sessionAffinity"] === "None") delete own["sessionAffinityConfig"];
  if (type !== "LoadBalancer") return;
  for (const ingress of listAt(object, "status", "loadBalancer", "ingress"))
    if (isObject(ingress) && textAt(ingress, "ip") !== "") ingress["ipMode"] ??= "VIP";
}

function warnings({ metadata, spec }: KubeObject): readonly string[] {
  const [type, external] = [typeOf(spec), textsAt(spec, "externalIPs")];
  const headless = type === "ClusterIP" && textAt(spec, "clusterIP") === "None";
  const balancer = textAt(spec, "loadBalancerIP");
  const said = (is: boolean, text: string): readonly string[] => (is ? [text] : []);
  const isNamed = type === "ExternalName";
  return [
    ...said(
      metadata.annotations?.[HINTS] !== undefined,
      `annotation ${HINTS} is deprecated, please use ${MODE} instead`,
    ),
    ...(headless
      ? []
      : textsAt(spec, "clusterIPs").flatMap((one, index) => addressWarnings(`spec.clusterIPs[${index}]`, one))),
    ...said(headless && balancer !== "", "spec.loadBalancerIP is ignored for headless services"),
    ...said(headless && external.length > 0, "spec.externalIPs is ignored for headless services"),
    ...said(
      headless && textAt(spec, "sessionAffinity") !== "None",
      "spec.SessionAffinity is ignored for headless services",
    ),
    ...external.flatMap((one, index) => addressWarnings(`spec.externalIPs[${index}]`, one)),
    ...said(
      external.length > 0 && !headless && !isNamed,
      "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ),
    ...addressWarnings("spec.loadBalancerIP", balancer),
    ...textsAt(spec, "loadBalancerSourceRanges").flatMap((one, index) =>
      networkWarnings(`spec.loadBalancerSourceRanges[${index}]`, one),
    ),
    ...said(isNamed && external.length > 0, 'spec.externalIPs is ignored when spec.type is "ExternalName"'),
    ...said(
      !isNamed && textAt(spec, "externalName") !== "",
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ),
    ...said(
      textAt(spec, "trafficDistribution") === "PreferClose",
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ),
  ];
}

/** `status.loadBalancer.ingress`, of services and ingresses. */
export function checkIngress(found: Findings, { status }: KubeObject, old: KubeObject, withMode: boolean): void {
  const known = listAt(old, "status", "loadBalancer", "ingress").map((one) => textAt(one, "ip"));
  for (const [index, ingress] of listAt(status, "loadBalancer", "ingress").entries()) {
    const at = `status.loadBalancer.ingress[${index}]`;
    const [ip, host, mode] = [textAt(ingress, "ip"), textAt(ingress, "hostname"), valueAt(ingress, "ipMode")];
    if (ip !== "") checkAddress(found, `${at}.ip`, ip, known);
    if (withMode && ip !== "" && typeof mode !== "string")
      found.required(`${at}.ipMode`, "must be specified when `ip` is set");
    if (withMode && typeof mode === "string") {
      if (ip === "") found.forbidden(`${at}.ipMode`, "may not be specified when `ip` is not set");
      else found.oneOf(`${at}.ipMode`, mode, ["Proxy", "VIP"]);
    }
    if (host === "") continue;
    found.name(dnsSubdomain, `${at}.hostname`, host);
    if (parseLoosely(host) !== undefined)
      found.invalid(`${at}.hostname`, host, "must be a DNS name, not an IP address");
  }
}

/** `core/v1.Service` */
export const service: KindHooks = {
  validatesAll: true,
  applyDefaults,
  prepareCreate(object) {
    object["status"] = { loadBalancer: {} };
  },
  prepareUpdate(object, old, subresource) {
    if (subresource === "") dropForType(object, old);
  },
  validate: (object, old) => findingsOf((found) => checkService(found, object, old)),
  validateUpdate: (object, old) =>
    findingsOf((found) => {
      const [now, before] = [object["spec"], old["spec"]];
      checkAddressChanges(found, object, old);
      const isBalanced = [now, before].every((one) => typeOf(one) === "LoadBalancer");
      const name = valueAt(now, "loadBalancerClass") ?? null;
      if (isBalanced && name !== (valueAt(before, "loadBalancerClass") ?? null))
        found.invalid("spec.loadBalancerClass", name, "may not change once set");
      const field = "healthCheckNodePort";
      if (isChecked(now) && isChecked(before) && valueAt(now, field) !== valueAt(before, field))
        found.forbidden(`spec.${field}`, "field is immutable");
    }),
  validateStatus: (object, old) =>
    findingsOf((found) => {
      const isBalanced = typeOf(object["spec"]) === "LoadBalancer";
      if (!isBalanced && listAt(object, "status", "loadBalancer", "ingress").length > 0)
        found.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'");
      else checkIngress(found, object, old, true);
    }),
  warnings,
};
