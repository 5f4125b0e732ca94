import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { parseLoosely } from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, portName, wildcardSubdomain } from "../../validation/names.ts";
import { checkReference } from "./ingress-class.ts";
import { checkIngress } from "./service.ts";

const CLASS = "kubernetes.io/ingress.class";
const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const NOT_WITHIN = ["//", "/./", "/../", "%2f", "%2F"];
const NOT_LAST = ["/..", "/."];

const checkHost = (found: Findings, field: string, host: string): void =>
  found.name(host.includes("*") ? wildcardSubdomain : dnsSubdomain, field, host);

function checkBackend(found: Findings, at: string, backend: Json | undefined): void {
  const [resource, service] = [valueAt(backend, "resource"), valueAt(backend, "service")];
  if (isObject(resource) && isObject(service)) found.invalid(at, "", "cannot set both resource and service backends");
  else if (isObject(resource)) checkReference(found, `${at}.resource`, resource);
  else if (!isObject(service)) found.invalid(at, "", "resource or service backend is required");
  else {
    found.requiredName(dnsLabel, `${at}.service.name`, textAt(service, "name"));
    const [name, number] = [textAt(service, "port", "name"), Number(valueAt(service, "port", "number") ?? 0)];
    if (name !== "" && number !== 0) found.invalid(at, "", "cannot set both port name & port number");
    else if (name !== "") found.name(portName, `${at}.service.port.name`, name);
    else if (number !== 0) found.port(`${at}.service.port.number`, number);
    else found.required(at, "port name or number is required");
  }
}

function checkPath(found: Findings, at: string, one: Json): void {
  const [path, type] = [textAt(one, "path"), valueAt(one, "pathType")];
  if (typeof type !== "string") {
    found.required(`${at}.pathType`, "pathType must be specified");
    return;
  }
  const field = `${at}.path`;
  const isPlain = type === "Exact" || type === "Prefix";
  if (!PATH_TYPES.includes(type)) found.notSupported(`${at}.pathType`, type, PATH_TYPES);
  else if ((isPlain || path !== "") && !path.startsWith("/")) found.invalid(field, path, "must be an absolute path");
  if (isPlain) {
    for (const part of NOT_WITHIN.filter((bad) => path.includes(bad)))
      found.invalid(field, path, `must not contain '${part}'`);
    for (const end of NOT_LAST.filter((bad) => path.endsWith(bad)))
      found.invalid(field, path, `cannot end with '${end}'`);
  }
  checkBackend(found, `${at}.backend`, valueAt(one, "backend"));
}

function checkRule(found: Findings, at: string, rule: Json): void {
  const host = textAt(rule, "host");
  if (host !== "") {
    if (parseLoosely(host) !== undefined) found.invalid(`${at}.host`, host, "must be a DNS name, not an IP address");
    checkHost(found, `${at}.host`, host);
  }
  const http = valueAt(rule, "http");
  if (!isObject(http)) return;
  const paths = listAt(http, "paths");
  if (paths.length === 0) found.required(`${at}.http.paths`);
  for (const [index, path] of paths.entries()) checkPath(found, `${at}.http.paths[${index}]`, path);
}

function checkSpec(found: Findings, spec: Json | undefined): void {
  const [rules, backend] = [listAt(spec, "rules"), valueAt(spec, "defaultBackend")];
  if (rules.length === 0 && !isObject(backend))
    found.invalid("spec", null, "either `defaultBackend` or `rules` must be specified");
  if (isObject(backend)) checkBackend(found, "spec.defaultBackend", backend);
  for (const [index, rule] of rules.entries()) checkRule(found, `spec.rules[${index}]`, rule);
  for (const [index, tls] of listAt(spec, "tls").entries()) {
    for (const [place, host] of listAt(tls, "hosts").entries())
      checkHost(found, `spec.tls[${index}].hosts[${place}]`, textAt(host));
    const secret = textAt(tls, "secretName");
    if (secret !== "") found.name(dnsSubdomain, `spec.tls[${index}].secretName`, secret);
  }
  const name = valueAt(spec, "ingressClassName");
  if (typeof name === "string") found.name(dnsSubdomain, "spec.ingressClassName", name);
}

/** `networking/v1.Ingress` */
export const ingress: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  prepareCreate(object) {
    object["status"] = { loadBalancer: {} };
  },
  validate: ({ metadata, spec }, old) =>
    findingsOf((found) => {
      checkSpec(found, spec);
      const [annotation, name] = [metadata.annotations?.[CLASS], valueAt(spec, "ingressClassName")];
      if (old === undefined && annotation !== undefined && typeof name === "string" && annotation !== name)
        found.invalid(`annotations.${CLASS}`, annotation, "must match `ingressClassName` when both are specified");
    }),
  validateStatus: (object, old) => findingsOf((found) => checkIngress(found, object, old, false)),
  warnings: ({ metadata, spec }, old) =>
    old === undefined && metadata.annotations?.[CLASS] !== undefined && valueAt(spec, "ingressClassName") === undefined
      ? [`annotation "${CLASS}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
};
