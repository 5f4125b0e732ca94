import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { getObject, isNotFound, listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";
import { heading, marks } from "./config.ts";
import { writeEvents } from "./events.ts";
import { Lines, mapText, orNone } from "./lines.ts";
import { selectorText } from "./pod-template.ts";

/** Addresses with ports that a service's port leads to. */
async function endpointsOf(session: Session, service: KubeObject): Promise<readonly KubeObject[]> {
  const slices = (await session.mapper()).known("discovery.k8s.io", "endpointslices");
  const labelSelector = `kubernetes.io/service-name=${service.metadata.name ?? ""}`;
  return await listObjects(session, slices, service.metadata.namespace ?? "", { labelSelector });
}

function endpointsText(slices: readonly KubeObject[], portName: string): string {
  if (slices.length === 0) return "<none>";
  const found: string[] = [];
  for (const slice of slices) {
    const port = listAt(slice, "ports").find((one) => textAt(one, "name") === portName);
    if (port === undefined) continue;
    for (const endpoint of listAt(slice, "endpoints")) {
      if (valueAt(endpoint, "conditions", "ready") === false) continue;
      for (const address of listAt(endpoint, "addresses")) {
        const host = textAt(address).includes(":") ? `[${textAt(address)}]` : textAt(address);
        found.push(`${host}:${textAt(port, "port")}`);
      }
    }
  }
  return found.length > 3 ? `${found.slice(0, 3).join(",")} + ${found.length - 3} more...` : found.join(",");
}

export async function describeService(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  const at = (...path: string[]): string => textAt(object, ...path);
  const put = (title: string, value: string): void => lines.raw(`${title}:\t${value}\n`);
  marks(lines, object);
  put("Selector", orNone(mapText(valueAt(object, "spec", "selector"))));
  put("Type", at("spec", "type"));
  if (at("spec", "ipFamilyPolicy") !== "") put("IP Family Policy", at("spec", "ipFamilyPolicy"));
  const families = listAt(object, "spec", "ipFamilies").map((one) => textAt(one));
  put("IP Families", orNone(families.join(",")));
  put("IP", at("spec", "clusterIP"));
  const addresses = listAt(object, "spec", "clusterIPs").map((one) => textAt(one));
  put("IPs", orNone(addresses.join(",")));
  const external = listAt(object, "spec", "externalIPs").map((one) => textAt(one));
  if (external.length > 0) put("External IPs", external.join(","));
  if (at("spec", "loadBalancerIP") !== "") put("Desired LoadBalancer IP", at("spec", "loadBalancerIP"));
  if (at("spec", "externalName") !== "") put("External Name", at("spec", "externalName"));
  const ingress = listAt(object, "status", "loadBalancer", "ingress");
  if (ingress.length > 0)
    put(
      "LoadBalancer Ingress",
      ingress
        .map(
          (one) =>
            `${textAt(one, "ip") || textAt(one, "hostname")}${textAt(one, "ipMode") === "" ? "" : ` (${textAt(one, "ipMode")})`}`,
        )
        .join(", "),
    );
  const slices = await endpointsOf(session, object);
  for (const port of listAt(object, "spec", "ports")) {
    const name = textAt(port, "name");
    const protocol = textAt(port, "protocol");
    put("Port", `${name === "" ? "<unset>" : name}\t${textAt(port, "port")}/${protocol}`);
    put("TargetPort", `${textAt(port, "targetPort")}/${protocol}`);
    if (textAt(port, "nodePort") !== "")
      put("NodePort", `${name === "" ? "<unset>" : name}\t${textAt(port, "nodePort")}/${protocol}`);
    put("Endpoints", endpointsText(slices, name));
  }
  put("Session Affinity", at("spec", "sessionAffinity"));
  if (at("spec", "externalTrafficPolicy") !== "") put("External Traffic Policy", at("spec", "externalTrafficPolicy"));
  if (at("spec", "internalTrafficPolicy") !== "") put("Internal Traffic Policy", at("spec", "internalTrafficPolicy"));
  if (at("spec", "healthCheckNodePort") !== "") put("HealthCheck NodePort", at("spec", "healthCheckNodePort"));
  if (at("spec", "trafficDistribution") !== "") put("Traffic Distribution", at("spec", "trafficDistribution"));
  const ranges = listAt(object, "spec", "loadBalancerSourceRanges").map((one) => textAt(one));
  if (ranges.length > 0) put("LoadBalancer Source Ranges", ranges.join(","));
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeIngressClass(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  lines.raw(`Controller:\t${textAt(object, "spec", "controller")}\n`);
  const parameters = valueAt(object, "spec", "parameters");
  if (isObject(parameters)) {
    lines.raw("Parameters:\n");
    for (const [title, field] of [
      ["APIGroup", "apiGroup"],
      ["Kind", "kind"],
      ["Name", "name"],
    ] as const) {
      if (textAt(parameters, field) !== "") lines.raw(`  ${title}:\t${textAt(parameters, field)}\n`);
    }
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeIngress(session: Session, object: KubeObject): Promise<string> {
  const lines = new Lines();
  const at = (...path: string[]): string => textAt(object, ...path);
  lines.raw(`Name:\t${at("metadata", "name")}\n`);
  lines.labels("Labels", object.metadata.labels);
  lines.raw(`Namespace:\t${at("metadata", "namespace")}\n`);
  const addresses = listAt(object, "status", "loadBalancer", "ingress").map(
    (one) => textAt(one, "ip") || textAt(one, "hostname"),
  );
  lines.raw(`Address:\t${addresses.join(",")}\nIngress Class:\t${at("spec", "ingressClassName") || "<none>"}\n`);
  const fallback = valueAt(object, "spec", "defaultBackend");
  const namespace = at("metadata", "namespace");
  lines.raw(
    `Default backend:\t${fallback === undefined ? "<default>" : await backendText(session, namespace, fallback)}\n`,
  );
  const tls = listAt(object, "spec", "tls");
  if (tls.length > 0) lines.raw("TLS:\n");
  for (const one of tls) {
    const hosts = listAt(one, "hosts")
      .map((host) => textAt(host))
      .join(",");
    lines.raw(
      `  ${textAt(one, "secretName") === "" ? `SNI routes ${hosts}` : `${textAt(one, "secretName")} terminates ${hosts}`}\n`,
    );
  }
  lines.raw("Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------\n");
  let count = 0;
  for (const rule of listAt(object, "spec", "rules")) {
    const paths = listAt(rule, "http", "paths");
    if (paths.length === 0) continue;
    count++;
    lines.raw(`  ${textAt(rule, "host") || "*"}\t\n`);
    for (const path of paths) {
      lines.raw(
        `    \t${textAt(path, "path")} \t${await backendText(session, namespace, valueAt(path, "backend") ?? {})}\n`,
      );
    }
  }
  if (count === 0)
    lines.raw(`  *\t*\t${fallback === undefined ? "<default>" : await backendText(session, namespace, fallback)}\n`);
  lines.annotations("Annotations", object.metadata.annotations);
  await writeEvents(session, object, lines);
  return lines.text;
}

async function backendText(session: Session, namespace: string, backend: Json): Promise<string> {
  const name = textAt(backend, "service", "name");
  if (name === "") {
    const resource = valueAt(backend, "resource");
    return `APIGroup: ${textAt(resource, "apiGroup")}, Kind: ${textAt(resource, "kind")}, Name: ${textAt(resource, "name")}`;
  }
  const port = textAt(backend, "service", "port", "number") || textAt(backend, "service", "port", "name");
  return `${name}:${port} (${await behind(session, namespace, name, backend)})`;
}

async function behind(session: Session, namespace: string, name: string, backend: Json): Promise<string> {
  const mapping = (await session.mapper()).known("", "services");
  try {
    const service = await getObject(session, { mapping, namespace, name });
    const [number, word] = [textAt(backend, "service", "port", "number"), textAt(backend, "service", "port", "name")];
    const port = listAt(service, "spec", "ports").find((one) =>
      number !== "" ? textAt(one, "port") === number : textAt(one, "name") === word,
    );
    return endpointsText(await endpointsOf(session, service), textAt(port, "name"));
  } catch (error) {
    if (!isNotFound(error) || !(error instanceof Error)) throw error;
    return `<error: ${error.message}>`;
  }
}

export async function describeNetworkPolicy(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  const created = textAt(object, "metadata", "creationTimestamp");
  lines.raw(`Created on:\t${created.replace("T", " ").replace("Z", "")} +0000 UTC\n`);
  marks(lines, object);
  const types = listAt(object, "spec", "policyTypes").map((one) => textAt(one));
  const selector = selectorText(valueAt(object, "spec", "podSelector"));
  lines.raw(
    `Spec:\n  PodSelector:     ${selector === "<none>" ? "<none> (Allowing the specific traffic to all pods in this namespace)" : selector}\n`,
  );
  for (const [type, field, from] of [
    ["Ingress", "ingress", "From"],
    ["Egress", "egress", "To"],
  ] as const) {
    if (!types.includes(type)) {
      lines.raw(`  Not affecting ${field} traffic\n`);
      continue;
    }
    lines.raw(`  Allowing ${field} traffic:\n`);
    writeRules(lines, listAt(object, "spec", field), type, from);
  }
  lines.raw(`  Policy Types: ${types.join(", ")}\n`);
  return lines.text;
}

function writeRules(lines: Lines, rules: readonly Json[], type: string, from: "From" | "To"): void {
  if (rules.length === 0) {
    return lines.raw(`    <none> (Selected pods are isolated for ${type.toLowerCase()} connectivity)\n`);
  }
  rules.forEach((rule, index) => {
    const ports = listAt(rule, "ports");
    if (ports.length === 0) lines.raw("    To Port: <any> (traffic allowed to all ports)\n");
    for (const port of ports)
      lines.raw(`    To Port: ${textAt(port, "port") || "<any>"}/${textAt(port, "protocol") || "TCP"}\n`);
    const peers = listAt(rule, from === "From" ? "from" : "to");
    if (peers.length === 0)
      lines.raw(`    ${from}: <any> (traffic not restricted by ${from === "From" ? "source" : "destination"})\n`);
    for (const peer of peers) {
      lines.raw(`    ${from}:\n`);
      const [spaces, pods, block] = ["namespaceSelector", "podSelector", "ipBlock"].map((field) =>
        valueAt(peer, field),
      );
      if (spaces !== undefined) lines.raw(`      NamespaceSelector: ${selectorText(spaces)}\n`);
      if (pods !== undefined) lines.raw(`      PodSelector: ${selectorText(pods)}\n`);
      if (block !== undefined) {
        const except = listAt(block, "except").map((one) => textAt(one));
        lines.raw(`      IPBlock:\n        CIDR: ${textAt(block, "cidr")}\n        Except: ${except.join(", ")}\n`);
      }
    }
    if (index < rules.length - 1) lines.raw("    ----------\n");
  });
}
