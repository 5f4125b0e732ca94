import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { formatQuantity, parseQuantity, type Quantity } from "../../object/quantity.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { qualifiedName } from "../../validation/names.ts";
import { checkAnyResource, checkContainerResource, mayOvercommit, resourcesOf } from "../../validation/resources.ts";

const TYPES = ["Container", "PersistentVolumeClaim", "Pod"];
const ONE = 1_000_000_000n;

function checkType(found: Findings, field: string, type: string): void {
  const problems = qualifiedName(type);
  for (const problem of problems) found.invalid(field, type, problem);
  if (problems.length === 0 && !type.includes("/") && !TYPES.includes(type))
    found.invalid(field, type, "must be a standard limit type or fully qualified");
}

type Amounts = ReadonlyMap<string, Quantity>;
const FIELDS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

/** What an item says of each resource; names are looked at on the way. */
function amountsOf(found: Findings, at: string, item: Json, type: string): Readonly<Record<string, Amounts>> {
  const all: Record<string, Map<string, Quantity>> = {};
  const check = type === "Pod" || type === "Container" ? checkContainerResource : checkAnyResource;
  for (const field of FIELDS) {
    const amounts = new Map<string, Quantity>();
    all[field] = amounts;
    const list = resourcesOf(valueAt(item, field));
    if (type === "Pod" && field.startsWith("default")) {
      if (list.length > 0) found.forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'");
      continue;
    }
    for (const [name, amount] of list) {
      check(found, `${at}.${field}[${name}]`, name);
      const quantity = parseQuantity(textAt(amount));
      if (quantity !== undefined) amounts.set(name, quantity);
    }
    const storage = ["min", "max"].some((one) => valueAt(item, one, "storage") !== undefined);
    if (field === "defaultRequest" && type === "PersistentVolumeClaim" && !storage)
      found.required(`${at}.limits`, "either minimum or maximum storage value is required, but neither was provided");
  }
  return all;
}

/** Pairs of what is not to be above what, with the field that is told and the value that is shown of it. */
const ORDERED = [
  ["min", "max", "min", "min"],
  ["min", "defaultRequest", "defaultRequest", "defaultRequest"],
  ["defaultRequest", "max", "defaultRequest", "defaultRequest"],
  ["defaultRequest", "default", "defaultRequest", "defaultRequest"],
  ["min", "default", "default", "min"],
  ["default", "max", "default", "max"],
] as const;

/** What is called so, in which pair. */
const wordOf = (field: string, other: string): string => {
  if (field === "defaultRequest") return "default request";
  return field === "default" && other === "defaultRequest" ? "default limit" : field;
};

function checkOrder(found: Findings, at: string, name: string, amounts: Readonly<Record<string, Amounts>>): void {
  const of = (field: string): Quantity | undefined => amounts[field]?.get(name);
  for (const [low, high, told, shown] of ORDERED) {
    const [least, most, value] = [of(low), of(high), of(shown)];
    if (least === undefined || most === undefined || value === undefined || least.nano <= most.nano) continue;
    found.invalid(
      `${at}.${told}[${name}]`,
      formatQuantity(value),
      `${wordOf(low, high)} value ${formatQuantity(least)} is greater than ${wordOf(high, low)} value ${formatQuantity(most)}`,
    );
  }
  checkRatio(found, `${at}.maxLimitRequestRatio[${name}]`, of("maxLimitRequestRatio"), of("min"), of("max"));
  const [given, asked] = [of("default"), of("defaultRequest")];
  if (!mayOvercommit(name) && given !== undefined && asked !== undefined && given.nano !== asked.nano)
    found.invalid(
      `${at}.defaultRequest[${name}]`,
      formatQuantity(asked),
      `default value ${formatQuantity(given)} must equal to defaultRequest value ${formatQuantity(asked)} in ${name}`,
    );
}

function checkRatio(found: Findings, field: string, ratio?: Quantity, least?: Quantity, most?: Quantity): void {
  if (ratio === undefined) return;
  const shown = formatQuantity(ratio);
  if (ratio.nano < ONE) found.invalid(field, shown, `ratio ${shown} is less than 1`);
  if (least === undefined || most === undefined) return;
  const possible = Number(most.nano) / Number(least.nano);
  if (Number(ratio.nano) / Number(ONE) > possible)
    found.invalid(field, shown, `ratio ${shown} is greater than max/min = ${possible.toFixed(6)}`);
}

/** `core/v1.LimitRange` */
export const limitRange: KindHooks = {
  validatesAll: true,
  applyDefaults(object) {
    for (const item of listAt(object, "spec", "limits")) {
      if (!isObject(item) || item["type"] !== "Container") continue;
      const own = (field: string): JsonObject => (isObject(item[field]) ? item[field] : {});
      const given = { ...own("max"), ...own("default") };
      const asked = { ...own("min"), ...given, ...own("defaultRequest") };
      if (Object.keys(given).length > 0) item["default"] = given;
      if (Object.keys(asked).length > 0) item["defaultRequest"] = asked;
    }
  },
  validate: (object) =>
    findingsOf((found) => {
      const types = new Set<string>();
      for (const [index, item] of listAt(object, "spec", "limits").entries()) {
        const at = `spec.limits[${index}]`;
        const type = textAt(item, "type");
        checkType(found, `${at}.type`, type);
        if (types.has(type)) found.duplicate(`${at}.type`, type);
        types.add(type);
        const amounts = amountsOf(found, at, item, type);
        const names = new Set(FIELDS.flatMap((field) => [...(amounts[field]?.keys() ?? [])]));
        for (const name of names) checkOrder(found, at, name, amounts);
      }
    }),
};
