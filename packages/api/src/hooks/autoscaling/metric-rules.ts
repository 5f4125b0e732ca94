import { isObject, type Json } from "../../object/json.ts";
import { parseApiVersion, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, pathSegment } from "../../validation/names.ts";
import { checkContainerResource } from "../../validation/resources.ts";

export interface ReferenceOptions {
  /** The core group has no name. */
  readonly emptyGroup: boolean;
  /** It was so before. */
  readonly anyVersion: boolean;
}

/** What is wrong with the `apiVersion` of a reference; undefined: nothing. */
export function versionProblem(
  reference: Json | undefined,
  { emptyGroup, anyVersion }: ReferenceOptions,
): string | undefined {
  if (anyVersion) return undefined;
  const text = textAt(reference, "apiVersion");
  if (text.split("/").length > 2) return `unexpected GroupVersion string: ${text}`;
  const group = text.includes("/") ? (parseApiVersion(text)?.group ?? text.split("/")[0]) : "";
  return group === "" && !emptyGroup ? "apiVersion must specify API group" : undefined;
}

/** `autoscaling/v2.CrossVersionObjectReference` */
export function checkReference(
  found: Findings,
  at: string,
  reference: Json | undefined,
  options: ReferenceOptions,
): void {
  for (const field of ["kind", "name"]) found.requiredName(pathSegment, `${at}.${field}`, textAt(reference, field));
  const problem = versionProblem(reference, options);
  if (problem !== undefined) found.invalid(`${at}.apiVersion`, textAt(reference, "apiVersion"), problem);
}

const isGiven = (value: Json | undefined): boolean => value !== undefined && value !== null;

function checkTarget(found: Findings, at: string, target: Json | undefined): void {
  const type = textAt(target, "type");
  if (type === "") found.required(`${at}.type`, "must specify a metric target type");
  if (!["Utilization", "Value", "AverageValue"].includes(type))
    found.invalid(`${at}.type`, type, "must be either Utilization, Value, or AverageValue");
  for (const field of ["value", "averageValue"]) {
    const amount = parseQuantity(textAt(target, field));
    if (amount !== undefined && amount.nano <= 0n)
      found.invalid(`${at}.${field}`, textAt(target, field), "must be positive");
  }
  const share = valueAt(target, "averageUtilization");
  if (typeof share === "number" && share < 1)
    found.invalid(`${at}.averageUtilization`, share, "must be greater than 0");
}

function checkIdentifier(found: Findings, at: string, metric: Json | undefined): void {
  found.requiredName(pathSegment, `${at}.name`, textAt(metric, "name"), "must specify a metric name");
}

/** A resource is either used by so much, or by a part of what was asked for. */
function checkUse(found: Findings, at: string, target: Json | undefined): void {
  checkTarget(found, at, target);
  const [share, average] = ["averageUtilization", "averageValue"].map((field) => isGiven(valueAt(target, field)));
  if (share === false && average === false) {
    const why = "must set either a target raw value or a target utilization";
    found.required(`${at}.averageUtilization`, why);
  }
  if (share === true && average === true)
    found.forbidden(`${at}.averageValue`, "may not set both a target raw value and a target utilization");
}

type CheckSource = (found: Findings, at: string, source: Json, options: ReferenceOptions) => void;

/** In the order in which only the first that is there is looked at. */
const SOURCES: readonly (readonly [field: string, type: string, check: CheckSource])[] = [
  [
    "object",
    "Object",
    (found, at, source, options) => {
      checkReference(found, `${at}.describedObject`, valueAt(source, "describedObject"), options);
      checkIdentifier(found, `${at}.metric`, valueAt(source, "metric"));
      const target = valueAt(source, "target");
      checkTarget(found, `${at}.target`, target);
      if (!isGiven(valueAt(target, "value")) && !isGiven(valueAt(target, "averageValue")))
        found.required(`${at}.target.averageValue`, "must set either a target value or averageValue");
    },
  ],
  [
    "external",
    "External",
    (found, at, source) => {
      checkIdentifier(found, `${at}.metric`, valueAt(source, "metric"));
      const target = valueAt(source, "target");
      checkTarget(found, `${at}.target`, target);
      const [value, average] = ["value", "averageValue"].map((field) => isGiven(valueAt(target, field)));
      if (value === false && average === false)
        found.required(`${at}.target.averageValue`, "must set either a target value for metric or a per-pod target");
      if (value === true && average === true)
        found.forbidden(`${at}.target.value`, "may not set both a target value for metric and a per-pod target");
    },
  ],
  [
    "pods",
    "Pods",
    (found, at, source) => {
      checkIdentifier(found, `${at}.metric`, valueAt(source, "metric"));
      checkTarget(found, `${at}.target`, valueAt(source, "target"));
      if (!isGiven(valueAt(source, "target", "averageValue")))
        found.required(`${at}.target.averageValue`, "must specify a positive target averageValue");
    },
  ],
  [
    "resource",
    "Resource",
    (found, at, source) => {
      if (textAt(source, "name") === "") found.required(`${at}.name`, "must specify a resource name");
      checkUse(found, `${at}.target`, valueAt(source, "target"));
    },
  ],
  [
    "containerResource",
    "ContainerResource",
    (found, at, source) => {
      const name = textAt(source, "name");
      if (name === "") found.required(`${at}.name`, "must specify a resource name");
      else checkContainerResource(found, `${at}.name`, name);
      found.requiredName(dnsLabel, `${at}.container`, textAt(source, "container"), "must specify a container");
      checkUse(found, `${at}.target`, valueAt(source, "target"));
    },
  ],
];

const TYPES = SOURCES.map(([, type]) => type).toSorted();

function checkMetric(found: Findings, at: string, metric: Json, options: ReferenceOptions): void {
  const type = textAt(metric, "type");
  if (type === "") found.required(`${at}.type`, "must specify a metric source type");
  if (!TYPES.includes(type)) found.notSupported(`${at}.type`, type, TYPES);
  const present = SOURCES.filter(([field]) => isObject(valueAt(metric, field)));
  const [first] = present;
  if (first !== undefined) first[2](found, `${at}.${first[0]}`, valueAt(metric, first[0]) ?? null, options);
  const own = SOURCES.find(([, name]) => name === type)?.[0];
  if (own !== undefined && !isObject(valueAt(metric, own)))
    found.required(`${at}.${own}`, "must populate information for the given metric source");
  if (present.length === 1) return;
  for (const [field] of present)
    if (field !== own) found.forbidden(`${at}.${field}`, "must populate the given metric source only");
}

/** `autoscaling/v2.MetricSpec`, a list of them */
export function checkMetrics(
  found: Findings,
  at: string,
  metrics: readonly Json[],
  options: ReferenceOptions & { readonly toZero: boolean },
): void {
  for (const [index, metric] of metrics.entries()) checkMetric(found, `${at}[${index}]`, metric, options);
  const isOutside = metrics.some((metric) => ["Object", "External"].includes(textAt(metric, "type")));
  if (options.toZero && !isOutside)
    found.forbidden(at, "must specify at least one Object or External metric to support scaling to zero replicas");
}
