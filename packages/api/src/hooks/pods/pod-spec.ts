import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { listAt, type ObjectMeta, textAt, valueAt } from "../../object/kube-object.ts";
import { checkAddress } from "../../validation/addresses.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, qualifiedName, underscoredSubdomain } from "../../validation/names.ts";
import { checkRequirements } from "../../validation/resources.ts";
import { checkTolerations } from "../../validation/tolerations.ts";
import { checkContainers } from "./container.ts";
import { checkOperatingSystem } from "./operating-systems.ts";
import { checkAffinity, checkSpread } from "./placement.ts";
import { checkPodSecurity } from "./security.ts";
import { checkVolumes } from "./volumes.ts";
import { checkPodResources } from "./whole-resources.ts";

export interface PodSpecOptions {
  /** Of the pod itself; absent for a template. */
  readonly metadata?: ObjectMeta;
}

const MIRROR = "kubernetes.io/config.mirror";

function checkClaims(found: Findings, at: string, claims: readonly Json[], metadata: ObjectMeta | undefined): void {
  const names = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    if (metadata?.annotations?.[MIRROR] !== undefined) {
      found.forbidden("", "static pods do not support resource claims");
      continue;
    }
    const here = `${at}[${index}]`;
    const name = textAt(claim, "name");
    if (name === "") found.required(`${here}.name`);
    else if (names.has(name)) found.duplicate(`${here}.name`, name);
    else found.name(dnsLabel, `${here}.name`, name);
    names.add(name);
    const fields = ["resourceClaimName", "resourceClaimTemplateName"];
    const given = fields.filter((field) => typeof valueAt(claim, field) === "string");
    if (given.length === 2)
      found.invalid(here, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    if (given.length === 0)
      found.invalid(here, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    for (const field of given) found.name(dnsSubdomain, `${here}.${field}`, textAt(claim, field));
  }
}

const MOST = { nameservers: 3, searches: 32, characters: 2048 } as const;

function checkDns(found: Findings, at: string, spec: Json | undefined): void {
  const own = valueAt(spec, "dnsConfig");
  const servers = listAt(own, "nameservers").map((one) => textAt(one));
  if (valueAt(spec, "dnsPolicy") === "None") {
    const missing = !isObject(own)
      ? ([at, "must provide `dnsConfig` when `dnsPolicy` is None"] as const)
      : servers.length === 0
        ? ([`${at}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"] as const)
        : undefined;
    if (missing !== undefined) {
      found.required(missing[0], missing[1]);
      return;
    }
  }
  if (!isObject(own)) return;
  if (servers.length > MOST.nameservers)
    found.invalid(`${at}.nameservers`, servers, `must not have more than ${MOST.nameservers} nameservers`);
  for (const [index, server] of servers.entries()) checkAddress(found, `${at}.nameservers[${index}]`, server);
  const searches = listAt(own, "searches").map((one) => textAt(one));
  const field = `${at}.searches`;
  if (searches.length > MOST.searches)
    found.invalid(field, searches, `must not have more than ${MOST.searches} search paths`);
  if (searches.join(" ").length > MOST.characters) {
    const why = `must not have more than ${MOST.characters} characters (including spaces) in the search list`;
    found.invalid(field, searches, why);
  }
  for (const [index, search] of searches.entries())
    if (search !== ".") found.name(underscoredSubdomain, `${field}[${index}]`, search.replace(/\.$/, ""));
  for (const [index, option] of listAt(own, "options").entries())
    if (textAt(option, "name") === "") found.required(`${at}.options[${index}]`, "must not be empty");
}

function checkGates(found: Findings, at: string, spec: Json | undefined): void {
  for (const [index, gate] of listAt(spec, "readinessGates").entries())
    found.name(qualifiedName, `${at}.readinessGates[${index}].conditionType`, textAt(gate, "conditionType"));
  const seen = new Set<string>();
  for (const [index, gate] of listAt(spec, "schedulingGates").entries()) {
    const field = `${at}.schedulingGates[${index}]`;
    const name = textAt(gate, "name");
    found.name(qualifiedName, field, name);
    if (seen.has(name)) found.duplicate(field, name);
    seen.add(name);
  }
}

/** A pod on its node's network has the ports of the node. */
function checkHostNetwork(found: Findings, at: string, spec: Json | undefined, isPod: boolean): void {
  if (valueAt(spec, "hostNetwork") !== true) return;
  for (const [index, container] of listAt(spec, "containers").entries()) {
    for (const [place, port] of listAt(container, "ports").entries()) {
      const [host, own] = [Number(valueAt(port, "hostPort") ?? 0), Number(valueAt(port, "containerPort") ?? 0)];
      const field = `${at}.containers[${index}].ports[${place}].hostPort`;
      if ((isPod || host !== 0) && host !== own)
        found.invalid(field, host, "must match `containerPort` when `hostNetwork` is true");
    }
  }
}

/** Names of other objects, and of hosts. */
function checkNames(found: Findings, at: string, spec: Json | undefined): void {
  for (const field of ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"]) {
    const name = textAt(spec, field);
    if (name !== "") found.name(dnsSubdomain, `${at}.${field}`, name);
  }
  for (const field of ["hostname", "subdomain"]) {
    const name = textAt(spec, field);
    if (name !== "") found.name(dnsLabel, `${at}.${field}`, name);
  }
  for (const [index, alias] of listAt(spec, "hostAliases").entries()) {
    const here = `${at}.hostAliases[${index}]`;
    checkAddress(found, `${here}.ip`, textAt(alias, "ip"));
    for (const [place, name] of listAt(alias, "hostnames").entries())
      found.name(dnsSubdomain, `${here}.hostnames[${place}]`, textAt(name));
  }
  const override = valueAt(spec, "hostnameOverride");
  if (typeof override !== "string") return;
  const field = `${at}.hostnameOverride`;
  if (valueAt(spec, "setHostnameAsFQDN") === true)
    found.forbidden(field, "may not be specified when setHostnameAsFQDN is true");
  if (valueAt(spec, "hostNetwork") === true) found.forbidden(field, "may not be specified when hostNetwork is true");
  if (override.length > 64) found.tooLong(field, 64);
  found.name(dnsSubdomain, field, override);
}

/** Files of variables lie in directories of the pod's own. */
function checkFileVolumes(found: Findings, at: string, spec: Json | undefined): void {
  const volumes = new Map(listAt(spec, "volumes").map((one) => [textAt(one, "name"), one]));
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const [index, container] of listAt(spec, list).entries()) {
      for (const [place, variable] of listAt(container, "env").entries()) {
        const reference = valueAt(variable, "valueFrom", "fileKeyRef");
        if (!isObject(reference)) continue;
        const field = `${at}.${list}[${index}].env[${place}].valueFrom.fileKeyRef.volumeName`;
        const name = textAt(reference, "volumeName");
        const volume = volumes.get(name);
        if (volume === undefined) found.notFound(field, name);
        else if (!isObject(valueAt(volume, "emptyDir")))
          found.invalid(field, name, "referenced volume must be of type emptyDir");
      }
    }
  }
}

const LONGEST_DEADLINE = 2 ** 31 - 1;

/** `core/v1.PodSpec` @param at e.g. `spec.template.spec` */
export function checkPodSpec(found: Findings, at: string, spec: Json | undefined, options: PodSpecOptions = {}): void {
  const { metadata } = options;
  const isPod = metadata !== undefined;
  const context = metadata === undefined ? {} : { metadata };
  const volumes = new Map<string, JsonObject | undefined>(
    checkVolumes(found, `${at}.volumes`, listAt(spec, "volumes"), context),
  );
  const resourceClaims = listAt(spec, "resourceClaims");
  const claims = new Set(resourceClaims.map((claim) => textAt(claim, "name")).filter((name) => name !== ""));
  checkClaims(found, `${at}.resourceClaims`, resourceClaims, metadata);
  const grace = valueAt(spec, "terminationGracePeriodSeconds");
  checkContainers(found, at, spec, {
    volumes,
    claims,
    grace: typeof grace === "number" ? grace : undefined,
    restartPolicy: textAt(spec, "restartPolicy"),
    hostUsers: valueAt(spec, "hostUsers") !== false,
    isPod,
  });
  checkPodResources(found, `${at}.resources`, spec, claims);
  checkHostNetwork(found, at, spec, isPod);
  found.oneOf(`${at}.restartPolicy`, valueAt(spec, "restartPolicy"), ["Always", "OnFailure", "Never"]);
  found.oneOf(`${at}.dnsPolicy`, valueAt(spec, "dnsPolicy"), [
    "ClusterFirstWithHostNet",
    "ClusterFirst",
    "Default",
    "None",
  ]);
  found.labels(`${at}.nodeSelector`, valueAt(spec, "nodeSelector"));
  checkPodSecurity(found, `${at}.securityContext`, spec);
  checkAffinity(found, `${at}.affinity`, valueAt(spec, "affinity"));
  checkDns(found, `${at}.dnsConfig`, spec);
  checkGates(found, at, spec);
  checkSpread(found, `${at}.topologySpreadConstraints`, listAt(spec, "topologySpreadConstraints"));
  checkOperatingSystem(found, at, spec);
  checkNames(found, at, spec);
  const deadline = valueAt(spec, "activeDeadlineSeconds");
  if (typeof deadline === "number") found.between(`${at}.activeDeadlineSeconds`, deadline, 1, LONGEST_DEADLINE);
  checkTolerations(found, `${at}.tolerations`, listAt(spec, "tolerations"));
  found.oneOf(`${at}.preemptionPolicy`, valueAt(spec, "preemptionPolicy"), ["PreemptLowerPriority", "Never"]);
  const overhead = valueAt(spec, "overhead");
  if (isObject(overhead)) checkRequirements(found, `${at}.overhead`, { limits: overhead });
  checkFileVolumes(found, at, spec);
}
