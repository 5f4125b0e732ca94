import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { checkNetwork, networkWarnings, parseNetwork } from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { configKey, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../../validation/names.ts";
import { checkAmount, resourcesOf } from "../../validation/resources.ts";
import { checkTaintEffect } from "../../validation/tolerations.ts";

const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;

function checkTaints(found: Findings, field: string, taints: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, taint] of taints.entries()) {
    const at = `${field}[${index}]`;
    const [key, value, effect] = [textAt(taint, "key"), textAt(taint, "value"), textAt(taint, "effect")];
    found.name(qualifiedName, `${at}.key`, key);
    const problems = labelValue(value);
    if (problems.length > 0) found.invalid(`${at}.value`, value, problems.join(";"));
    checkTaintEffect(found, `${at}.effect`, effect, false);
    const both = `${key} ${effect}`;
    if (seen.has(both)) found.duplicate(at, taint, "taints must be unique by key and effect pair");
    seen.add(both);
  }
}

const OLD_TAINTS = "scheduler.alpha.kubernetes.io/taints";

/** Taints as nodes had them before there was a field. */
function checkOldTaints(found: Findings, { metadata }: KubeObject): void {
  const text = metadata.annotations?.[OLD_TAINTS] ?? "";
  if (text === "") return;
  const at = "metadata.annotations";
  let taints: unknown;
  try {
    taints = JSON.parse(text);
  } catch (error) {
    found.invalid(at, OLD_TAINTS, (error as Error).message);
    return;
  }
  if (Array.isArray(taints)) checkTaints(found, `${at}.${OLD_TAINTS}`, taints as Json[]);
  else found.invalid(at, OLD_TAINTS, "json: cannot unmarshal into a list of taints");
}

const AVOIDED = "scheduler.alpha.kubernetes.io/preferAvoidPods";

/** Pods that a node would rather not have, as an annotation. */
function checkAvoided(found: Findings, { metadata }: KubeObject): void {
  const text = metadata.annotations?.[AVOIDED] ?? "";
  if (text === "") return;
  const at = "metadata.annotations";
  let avoided: Json;
  try {
    avoided = JSON.parse(text) as Json;
  } catch (error) {
    found.invalid(`${at}.AvoidPods`, AVOIDED, (error as Error).message);
    return;
  }
  for (const [index, entry] of listAt(avoided, "preferAvoidPods").entries()) {
    const signature = `${at}.${AVOIDED}[${index}].PodSignature`;
    const owner = valueAt(entry, "podSignature", "podController");
    if (!isObject(owner)) found.required(signature);
    else if (owner["controller"] !== true)
      found.invalid(`${signature}.PodController.Controller`, false, "must point to a controller");
  }
}

function checkResources(found: Findings, { status }: KubeObject): void {
  for (const field of ["capacity", "allocatable"]) {
    for (const [name, amount] of resourcesOf(valueAt(status, field)))
      checkAmount(found, `status.${field}.${name}`, name, amount);
  }
}

function checkFeatures(found: Findings, { status }: KubeObject): void {
  const features = listAt(status, "declaredFeatures").map((one) => textAt(one));
  for (const [index, name] of features.entries()) {
    const at = `status.declaredFeatures[${index}]`;
    const text = `invalid feature name ${JSON.stringify(name)}: must`;
    if (name.length > 253) found.invalid(at, name, `${text} be no more than 253 characters`);
    else if (!FEATURE.test(name)) {
      const why =
        "start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
      found.invalid(at, name, `${text} ${why}`);
    }
    const before = features[index - 1];
    if (before === undefined) continue;
    if (before === name) found.duplicate(at, name);
    else if (before > name) found.invalid(at, name, "list must be sorted alphabetically");
  }
}

function checkNetworks(found: Findings, { spec }: KubeObject): void {
  const networks = listAt(spec, "podCIDRs").map((one) => textAt(one));
  for (const [index, text] of networks.entries()) checkNetwork(found, `spec.podCIDRs[${index}]`, text);
  const families = networks.map((text) => parseNetwork(text)?.address.family);
  if (networks.length < 2 || (networks.length === 2 && families[0] !== families[1])) return;
  found.invalid("spec.podCIDRs", networks, "may specify no more than one CIDR for each IP family");
}

/** What is given to a node once, and stays. */
function checkFixed(found: Findings, { spec }: KubeObject, old: KubeObject): void {
  const before = listAt(old, "spec", "podCIDRs");
  if (before.length > 0 && !deepEqual([...before], [...listAt(spec, "podCIDRs")]))
    found.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid');
  const id = textAt(old, "spec", "providerID");
  if (id !== "" && id !== textAt(spec, "providerID"))
    found.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid');
  if (textAt(spec, "externalID") !== textAt(old, "spec", "externalID"))
    found.forbidden("spec.externalID", "may not be updated");
}

function checkAddresses(found: Findings, { status }: KubeObject): void {
  const seen: Json[] = [];
  for (const [index, address] of listAt(status, "addresses").entries()) {
    if (seen.some((one) => deepEqual(one, address))) found.duplicate(`status.addresses[${index}]`, address);
    seen.push(address);
  }
}

/** `core/v1.NodeConfigSource`: nodes that have one keep it, and nobody uses it. */
function checkConfigSource(found: Findings, at: string, source: Json, isStatus: boolean): void {
  const map = valueAt(source, "configMap");
  if (!isObject(map)) {
    found.invalid(at, source, "exactly one reference subfield must be non-nil");
    return;
  }
  const here = `${at}.configMap`;
  for (const field of ["uid", "resourceVersion"]) {
    const isEmpty = textAt(map, field) === "";
    if (isStatus && isEmpty) found.required(`${here}.${field}`);
    else if (!isStatus && !isEmpty) found.forbidden(`${here}.${field}`, `${field} must not be set in spec`);
  }
  found.requiredName(dnsLabel, `${here}.namespace`, textAt(map, "namespace"));
  found.requiredName(dnsSubdomain, `${here}.name`, textAt(map, "name"));
  found.requiredName(configKey, `${here}.kubeletConfigKey`, textAt(map, "kubeletConfigKey"));
}

function checkUpdate(found: Findings, object: KubeObject, old: KubeObject): void {
  checkOldTaints(found, object);
  checkAvoided(found, object);
  checkResources(found, object);
  checkFeatures(found, object);
  checkAddresses(found, object);
  checkFixed(found, object, old);
  const source = valueAt(object, "spec", "configSource");
  if (isObject(source)) checkConfigSource(found, "spec.configSource", source, false);
  for (const field of ["assigned", "active", "lastKnownGood"]) {
    const one = valueAt(object, "status", "config", field);
    if (isObject(one)) checkConfigSource(found, `status.config.${field}`, one, true);
  }
  checkTaints(found, "metadata.taints", listAt(object, "spec", "taints"));
}

/** Of a feature that is gone: only who has it may keep it. */
function dropConfig(object: KubeObject, old?: KubeObject): void {
  const drop = (part: Json | undefined, field: string): void => {
    if (isObject(part)) delete part[field];
  };
  if (valueAt(old, "spec", "configSource") === undefined) drop(object["spec"], "configSource");
  if (valueAt(old, "status", "config") === undefined) drop(object["status"], "config");
}

/** `core/v1.Node` */
export const node: KindHooks = {
  validatesAll: true,
  keepsStatus: true,
  applyDefaults({ status }) {
    // What is there can be given out, where nobody says otherwise.
    if (isObject(status) && status["allocatable"] === undefined && isObject(status["capacity"]))
      status["allocatable"] = { ...status["capacity"] };
  },
  prepareCreate: (object) => dropConfig(object),
  prepareUpdate: (object, old) => dropConfig(object, old),
  validate: (object, old) =>
    findingsOf((found) => {
      checkOldTaints(found, object);
      checkAvoided(found, object);
      checkTaints(found, "metadata.taints", listAt(object, "spec", "taints"));
      checkResources(found, object);
      const swap = valueAt(object, "status", "nodeInfo", "swap", "capacity");
      found.positive("metadata.nodeSwapStatus.capacity", swap);
      checkFeatures(found, object);
      checkNetworks(found, object);
      if (old !== undefined) checkUpdate(found, object, old);
    }),
  validateStatus: (object, old) => findingsOf((found) => checkUpdate(found, object, old)),
  warnings: ({ spec }) => [
    ...(isObject(valueAt(spec, "configSource")) ? ["spec.configSource: the feature is removed"] : []),
    ...(textAt(spec, "externalID") === ""
      ? []
      : ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]),
    ...listAt(spec, "podCIDRs").flatMap((one, index) => networkWarnings(`spec.podCIDRs[${index}]`, textAt(one))),
  ],
};
