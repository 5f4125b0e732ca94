import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsSubdomain, qualifiedName } from "../../validation/names.ts";

const LONGEST_NODE_ID = 256;
const SHORTEST_TOKEN = 600;
const LONGEST_TOKEN = 2 ** 32;

/** The name of a driver, which is in names of directories. */
export function checkDriverName(found: Findings, field: string, name: string): void {
  if (name === "") {
    found.required(field);
    return;
  }
  if (Buffer.byteLength(name) > 63) found.tooLong(field, 63);
  found.name(dnsSubdomain, field, name.toLowerCase(), name);
}

function checkTokens(found: Findings, requests: readonly Json[]): void {
  const audiences = new Set<string>();
  for (const [index, request] of requests.entries()) {
    const at = `spec.tokenRequests[${index}]`;
    const audience = textAt(request, "audience");
    if (audiences.has(audience)) {
      found.duplicate(`${at}.audience`, audience);
      continue;
    }
    audiences.add(audience);
    const seconds = valueAt(request, "expirationSeconds");
    if (typeof seconds !== "number") continue;
    const field = `${at}.expirationSeconds`;
    if (seconds < SHORTEST_TOKEN) found.invalid(field, seconds, "may not specify a duration less than 10 minutes");
    if (seconds > LONGEST_TOKEN) found.invalid(field, seconds, "may not specify a duration larger than 2^32 seconds");
  }
}

function checkDriver(found: Findings, spec: Json | undefined): void {
  const at = (field: string): string => `spec.${field}`;
  const value = (field: string): Json | undefined => valueAt(spec, field) ?? undefined;
  // It is called so in messages alone.
  if (value("attachRequired") === undefined) found.required(at("attachedRequired"));
  for (const field of ["podInfoOnMount", "storageCapacity"]) if (value(field) === undefined) found.required(at(field));
  found.oneOf(at("fsGroupPolicy"), value("fsGroupPolicy"), ["File", "None", "ReadWriteOnceWithFSType"]);
  const tokens = listAt(spec, "tokenRequests");
  checkTokens(found, tokens);
  for (const mode of listAt(spec, "volumeLifecycleModes"))
    found.oneOf(at("volumeLifecycleModes"), mode, ["Persistent", "Ephemeral"]);
  if (value("seLinuxMount") === undefined) found.required(at("seLinuxMount"));
  const period = value("nodeAllocatableUpdatePeriodSeconds");
  if (typeof period === "number" && period < 10)
    found.invalid(at("nodeAllocatableUpdatePeriodSeconds"), period, "must be greater than or equal to 10 seconds");
  const field = "serviceAccountTokenInSecrets";
  if (value(field) !== undefined && tokens.length === 0)
    found.invalid(at(field), value(field), `${field} is set but no tokenRequests are specified`);
}

const TOKENS_LEAK =
  "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

/** The field is of a feature that is off unless it is asked for. */
function dropDisabled(object: JsonObject, old?: JsonObject): void {
  const spec = object["spec"];
  const field = "preventPodSchedulingIfMissing";
  if (isObject(spec) && valueAt(old, "spec", field) === undefined) delete spec[field];
}

/** `storage/v1.CSIDriver` */
export const csiDriver: KindHooks = {
  validatesAll: true,
  prepareCreate: (object) => dropDisabled(object),
  prepareUpdate: (object, old) => dropDisabled(object, old),
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      checkDriver(found, spec);
      if (old === undefined) return;
      const before = old["spec"];
      found.immutable("spec.attachedRequired", valueAt(spec, "attachRequired"), valueAt(before, "attachRequired"));
      const modes = "volumeLifecycleModes";
      found.immutable(`spec.${modes}`, valueAt(spec, modes), valueAt(before, modes));
    }),
  warnings({ spec }, old) {
    const tokens = listAt(spec, "tokenRequests");
    if (tokens.length === 0 || (valueAt(spec, "serviceAccountTokenInSecrets") ?? null) !== null) return [];
    return old !== undefined && deepEqual([...tokens], [...listAt(old, "spec", "tokenRequests")]) ? [] : [TOKENS_LEAK];
  },
};

function checkNodeDriver(found: Findings, at: string, driver: Json, known: Set<string>): void {
  const [name, id] = [textAt(driver, "name"), textAt(driver, "nodeID")];
  checkDriverName(found, `${at}.name`, name);
  if (id === "") found.required(`${at}.nodeID`);
  if (Buffer.byteLength(id) > LONGEST_NODE_ID)
    found.invalid(`${at}.nodeID`, id, `must be ${LONGEST_NODE_ID} characters or less`);
  found.atLeastZero(`${at}.allocatable.count`, valueAt(driver, "allocatable", "count"));
  if (known.has(name)) found.duplicate(`${at}.name`, name);
  known.add(name);
  const keys = new Set<string>();
  for (const one of listAt(driver, "topologyKeys")) {
    const key = textAt(one);
    if (key === "") found.required(at);
    if (keys.has(key)) found.duplicate(at, key);
    keys.add(key);
    found.name(qualifiedName, at, key);
  }
}

/** What a driver has said of itself stays, but for how many volumes it can attach. */
const fixed = (driver: Json): JsonObject => {
  const { allocatable: _, ...rest } = driver as JsonObject;
  return rest;
};

/** `storage/v1.CSINode` */
export const csiNode: KindHooks = {
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      const drivers = listAt(spec, "drivers").filter(isObject);
      const known = new Set<string>();
      for (const [index, driver] of drivers.entries()) checkNodeDriver(found, `spec.drivers[${index}]`, driver, known);
      for (const before of listAt(old, "spec", "drivers")) {
        for (const now of drivers.filter((one) => textAt(one, "name") === textAt(before, "name")))
          found.immutable("spec.drivers", fixed(now), fixed(before));
      }
    }),
};
