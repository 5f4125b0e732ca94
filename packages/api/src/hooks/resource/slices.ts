import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../../validation/names.ts";
import { checkNodeSelector } from "../../validation/node-selectors.ts";
import { isNative } from "../../validation/resources.ts";
import { checkDriverName } from "../storage/csi-objects.ts";
import { checkCapacity } from "./capacity.ts";
import { checkBindingConditions } from "./claim-status.ts";
import { checkAttributeName, checkItems, checkPoolName } from "./devices.ts";

const MOST_DEVICES = 128;
/** Of devices with taints, counters or lists. */
const MOST_COMPLEX = 64;
const MOST_COUNTER_SETS = 8;
const MOST_COUNTERS = 32;
const MOST_ENTRIES = 32;
const MOST_VALUES = 48;
const LONGEST_KEY = 63 + 1 + 32;
const LONGEST_VALUE = 64;
const EFFECTS = ["NoExecute", "NoSchedule", "None"];
const LISTS = ["bools", "ints", "strings", "versions"];
const SCALARS = ["bool", "int", "string", "version"];
const SEMVER =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

const entriesAt = (value: Json | undefined, field: string): readonly (readonly [string, Json])[] => {
  const map = valueAt(value, field);
  return isObject(map) ? Object.entries(map).map(([key, item]) => [key, item ?? null] as const) : [];
};
const nameOf = (one: Json): string => textAt(one, "name");

/** A key as paths show it: of a long one the middle is left out. */
const shownKey = (key: string, longest: number): string => {
  const left = longest - 3;
  return key.length <= longest ? key : `${key.slice(0, (left + 1) >> 1)}...${key.slice(key.length - (left >> 1))}`;
};

function checkText(found: Findings, at: string, field: string, value: string): void {
  if (field.startsWith("version") && !SEMVER.test(value))
    found.invalid(at, value, "must be a string compatible with semver.org spec 2.0.0");
  if (Buffer.byteLength(value) > LONGEST_VALUE) found.tooLong(at, LONGEST_VALUE);
}

function checkAttribute(found: Findings, at: string, attribute: Json): void {
  const given = [...SCALARS, ...LISTS].filter((field) => (valueAt(attribute, field) ?? null) !== null);
  for (const field of given) {
    const here = `${at}.${field}`;
    if (field === "string" || field === "version") checkText(found, here, field, textAt(attribute, field));
    if (!LISTS.includes(field)) continue;
    const values = listAt(attribute, field);
    if (values.length === 0) found.invalid(here, [], "must not be empty if specified");
    if (field === "strings" || field === "versions")
      for (const [index, one] of values.entries()) checkText(found, `${here}[${index}]`, field, textAt(one));
  }
  if (given.length !== 1) found.invalid(at, given.length === 0 ? "" : attribute, "exactly one value must be specified");
}

function checkCounters(found: Findings, at: string, holder: Json): void {
  const counters = entriesAt(holder, "counters");
  if (counters.length === 0) found.required(`${at}.counters`);
  else if (counters.length > MOST_COUNTERS) found.tooMany(`${at}.counters`, counters.length, MOST_COUNTERS);
  else for (const [name] of counters) found.name(dnsLabel, `${at}.counters`, name);
}

/** Whose nodes can use it: one of these says so. @returns the fields that are there, in backquotes */
function checkNodes(found: Findings, at: string, holder: Json | undefined, empty: string): readonly string[] {
  const fields: string[] = [];
  const node = valueAt(holder, "nodeName");
  if (typeof node === "string") {
    if (node === "") found.invalid(`${at}.nodeName`, node, empty);
    else {
      fields.push("`nodeName`");
      found.name(dnsSubdomain, `${at}.nodeName`, node);
    }
  }
  const selector = valueAt(holder, "nodeSelector");
  if (isObject(selector)) {
    fields.push("`nodeSelector`");
    checkNodeSelector(found, `${at}.nodeSelector`, selector);
  }
  return fields;
}

function checkTrue(found: Findings, at: string, holder: Json | undefined, field: string): readonly string[] {
  const value = valueAt(holder, field);
  if (value === true) return [`\`${field}\``];
  if (value === false) found.invalid(`${at}.${field}`, false, "must be either unset or set to true");
  return [];
}

const OF_SLICE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
const OF_DEVICE =
  "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
const NOT_OF_DEVICE =
  "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

function checkDeviceNodes(found: Findings, at: string, device: Json, perDevice: boolean): void {
  if (!perDevice) {
    const given = ["nodeName", "nodeSelector", "allNodes"].some((field) => valueAt(device, field) !== undefined);
    if (given) found.invalid(at, null, NOT_OF_DEVICE);
    return;
  }
  const fields = [...checkNodes(found, at, device, "must not be empty"), ...checkTrue(found, at, device, "allNodes")];
  if (fields.length === 0) found.required(at, OF_DEVICE);
  else if (fields.length > 1) found.invalid(at, `{${fields.join(", ")}}`, OF_DEVICE);
}

function checkTaint(found: Findings, at: string, taint: Json): void {
  const text = (field: string): string => textAt(taint, field);
  found.name(qualifiedName, `${at}.key`, text("key"));
  if (text("value") !== "") found.name(labelValue, `${at}.value`, text("value"));
  if (text("effect") === "") found.required(`${at}.effect`);
  else found.oneOf(`${at}.effect`, text("effect"), EFFECTS);
}

function checkMappings(found: Findings, at: string, device: Json): void {
  for (const [name, mapping] of entriesAt(device, "nodeAllocatableResourceMappings")) {
    const here = `${at}.nodeAllocatableResourceMappings[${name}]`;
    if (!isNative(name)) found.invalid(here, name, "must be a node allocatable resource name");
    const [factor, key] = [valueAt(mapping, "allocationMultiplier"), valueAt(mapping, "capacityKey")];
    if (factor === undefined && key === undefined)
      found.invalid(here, "", "at least one of allocationMultiplier or capacityKey must be set");
    if (factor !== undefined && (parseQuantity(textAt(factor))?.nano ?? 1n) <= 0n)
      found.invalid(`${here}.allocationMultiplier`, factor, "must be positive");
    if (key === "") found.invalid(`${here}.capacityKey`, "", "capacityKey must not be an empty string");
    else if (typeof key === "string" && valueAt(device, "capacity", key) === undefined)
      found.notFound(`${here}.capacityKey`, key);
  }
}

function checkEntries(found: Findings, at: string, device: Json): void {
  const [attributes, capacities] = [entriesAt(device, "attributes"), entriesAt(device, "capacity")];
  const entries = attributes.length + capacities.length;
  if (entries > MOST_ENTRIES)
    found.invalid(at, entries, `the total number of attributes and capacities must not exceed ${MOST_ENTRIES}`);
  const values = attributes
    .map(([, one]) => LISTS.reduce((sum, field) => sum + listAt(one, field).length, 0) || 1)
    .reduce((sum, count) => sum + count, 0);
  if (values > MOST_VALUES)
    found.invalid(at, values, `the total number of attribute values must not exceed ${MOST_VALUES}`);
  for (const [name, one] of attributes) {
    checkAttributeName(found, `${at}.attributes`, name);
    checkAttribute(found, `${at}.attributes[${shownKey(name, LONGEST_KEY)}]`, one);
  }
  const isShared = valueAt(device, "allowMultipleAllocations") === true;
  for (const [name, one] of capacities) {
    checkAttributeName(found, `${at}.capacity`, name);
    checkCapacity(found, `${at}.capacity[${shownKey(name, LONGEST_KEY)}]`, one, isShared);
  }
}

function checkDevice(found: Findings, at: string, device: Json, old: Json | undefined, perDevice: boolean): void {
  found.name(dnsLabel, `${at}.name`, nameOf(device));
  checkEntries(found, at, device);
  const taints = listAt(device, "taints");
  if (old === undefined || !deepEqual([...listAt(old, "taints")], [...taints]))
    checkItems(found, `${at}.taints`, taints, 16, (one, here) => checkTaint(found, here, one));
  checkItems(
    found,
    `${at}.consumesCounters`,
    listAt(device, "consumesCounters"),
    2,
    (one, here) => {
      found.requiredName(dnsLabel, `${here}.counterSet`, textAt(one, "counterSet"));
      checkCounters(found, here, one);
    },
    (one) => textAt(one, "counterSet"),
  );
  checkDeviceNodes(found, at, device, perDevice);
  checkBindingConditions(found, at, device);
  checkMappings(found, at, device);
}

const isComplex = (device: Json): boolean =>
  listAt(device, "taints").length > 0 ||
  listAt(device, "consumesCounters").length > 0 ||
  entriesAt(device, "attributes").some(([, one]) => LISTS.some((field) => listAt(one, field).length > 0));

function checkDevices(found: Findings, spec: Json | undefined, before: Json | undefined): void {
  const devices = listAt(spec, "devices");
  const perDevice = valueAt(spec, "perDeviceNodeSelection") === true;
  if (valueAt(spec, "sharedCounters") !== undefined && valueAt(spec, "devices") !== undefined)
    found.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed");
  const old = new Map(listAt(before, "devices").map((one) => [nameOf(one), one]));
  const check = (one: Json, at: string): void => checkDevice(found, at, one, old.get(nameOf(one)), perDevice);
  checkItems(found, "spec.devices", devices, devices.some(isComplex) ? MOST_COMPLEX : MOST_DEVICES, check, nameOf);
  checkItems(
    found,
    "spec.sharedCounters",
    listAt(spec, "sharedCounters"),
    MOST_COUNTER_SETS,
    (one, at) => {
      found.requiredName(dnsLabel, `${at}.name`, nameOf(one));
      checkCounters(found, at, one);
    },
    nameOf,
  );
}

function checkSlice(found: Findings, spec: Json | undefined): void {
  checkDriverName(found, "spec.driver", textAt(spec, "driver"));
  const pool = valueAt(spec, "pool");
  checkPoolName(found, "spec.pool.name", textAt(pool, "name"));
  const [slices, generation] = ["resourceSliceCount", "generation"].map((field) => Number(valueAt(pool, field) ?? 0));
  if ((slices ?? 0) <= 0) found.invalid("spec.pool.resourceSliceCount", slices ?? 0, "must be greater than zero");
  if ((generation ?? 0) < 0)
    found.invalid("spec.pool.generation", generation ?? 0, "must be greater than or equal to zero");
  const fields = [
    ...checkNodes(found, "spec", spec, "must be either unset or set to a non-empty string"),
    ...["allNodes", "perDeviceNodeSelection"].flatMap((field) => checkTrue(found, "spec", spec, field)),
  ];
  const terms = valueAt(spec, "nodeSelector", "nodeSelectorTerms");
  if (Array.isArray(terms) && terms.length !== 1)
    found.invalid("spec.nodeSelector.nodeSelectorTerms", terms, "must have exactly one node selector term");
  if (fields.length === 0) found.required("spec", OF_SLICE);
  else if (fields.length > 1)
    found.invalid("spec", `{${fields.join(", ")}}`, `${OF_SLICE}, but multiple fields are set`);
}

/** `resource/v1.ResourceSlice` */
export const resourceSlice: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      checkSlice(found, spec);
      checkDevices(found, spec, old?.["spec"]);
    }),
  validateUpdate: ({ spec }, { spec: before }) =>
    findingsOf((found) => {
      found.immutable("spec.pool.name", valueAt(spec, "pool", "name"), valueAt(before, "pool", "name"));
      for (const field of ["driver", "nodeName"])
        found.immutable(`spec.${field}`, valueAt(spec, field), valueAt(before, field));
    }),
};
