import { compile } from "../../cel/program.ts";
import { CelError } from "../../cel/syntax.ts";
import { type CelType, DYN, mapOf, STRING, show, simple } from "../../cel/types.ts";
import { compilationText } from "../../custom/validate-rule-texts.ts";
import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { cIdentifier, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../../validation/names.ts";
import { checkDriverName } from "../storage/csi-objects.ts";

const MOST_SELECTORS = 32;
const LONGEST_EXPRESSION = 10 * 1024;
const LONGEST_PARAMETERS = 10 * 1024;
const LONGEST_POOL = 253;
const LONGEST_ID = 32;
const EFFECTS = ["NoExecute", "NoSchedule", "None"];

/** Looks at each item, unless there are more than may be. @param keyOf what is to be there once */
export function checkItems(
  found: Findings,
  at: string,
  items: readonly Json[],
  most: number,
  check: (item: Json, here: string) => void,
  keyOf?: (item: Json) => string,
): void {
  if (items.length > most) {
    found.tooMany(at, items.length, most);
    return;
  }
  for (const [index, item] of items.entries()) check(item, `${at}[${index}]`);
  if (keyOf === undefined) return;
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    if (seen.has(key)) found.duplicate(`${at}[${index}]`, key);
    seen.add(key);
  }
}

/** What a selector sees of a device. */
const DEVICE: CelType = {
  kind: "object",
  name: "kubernetes.DRADevice",
  fields: new Map<string, CelType>([
    ["driver", STRING],
    ["attributes", mapOf(STRING, mapOf(STRING, DYN))],
    ["capacity", mapOf(STRING, mapOf(STRING, simple("kubernetes.Quantity")))],
    ["allowMultipleAllocations", simple("bool")],
  ]),
};

function checkExpression(found: Findings, at: string, text: string): void {
  if (Buffer.byteLength(text) > LONGEST_EXPRESSION) {
    found.tooLong(at, LONGEST_EXPRESSION);
    return;
  }
  try {
    const type = show(compile(text, { variables: new Map([["device", DEVICE]]) }).type);
    if (type !== "bool" && type !== "dyn")
      found.invalid(at, text, `must evaluate to bool or the unknown type, not ${type}`);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    found.invalid(at, text, compilationText(text, error));
  }
}

/** `resource/v1.DeviceSelector`, a list of them. */
export function checkSelectors(found: Findings, at: string, selectors: readonly Json[]): void {
  checkItems(found, at, selectors, MOST_SELECTORS, (selector, here) => {
    if (isObject(valueAt(selector, "cel")))
      checkExpression(found, `${here}.cel.expression`, textAt(selector, "cel", "expression"));
    else found.required(`${here}.cel`);
  });
}

/** Parameters and data: an object that is not too large. */
export function checkObject(found: Findings, at: string, value: Json | undefined, longest: number): void {
  if (value === undefined || value === null) found.required(at);
  else if (Buffer.byteLength(JSON.stringify(value)) > longest) found.tooLong(at, longest);
  else if (!isObject(value)) found.invalid(at, "<value omitted>", "must be a valid JSON object");
}

/** `resource/v1.DeviceConfiguration` */
export function checkConfiguration(found: Findings, at: string, configuration: Json): void {
  const opaque = valueAt(configuration, "opaque");
  if (!isObject(opaque)) {
    found.required(`${at}.opaque`);
    return;
  }
  checkDriverName(found, `${at}.opaque.driver`, textAt(opaque, "driver"));
  checkObject(found, `${at}.opaque.parameters`, opaque["parameters"], LONGEST_PARAMETERS);
}

/** `name` or `domain/name` */
export function checkAttributeName(found: Findings, at: string, name: string): void {
  const checkId = (id: string): void => {
    if (id.length > LONGEST_ID) found.tooLong(at, LONGEST_ID);
    found.name(cIdentifier, at, id);
  };
  const [first = "", second, ...more] = name.split("/");
  if (second === undefined) checkId(first);
  else if (more.length === 0) {
    if (first === "") found.invalid(at, "", "the domain must not be empty");
    else checkDriverName(found, at, first);
    if (second === "") found.invalid(at, "", "the name must not be empty");
    else checkId(second);
  }
}

export function checkFullAttributeName(found: Findings, at: string, name: string): void {
  checkAttributeName(found, at, name);
  if (!name.includes("/"))
    found.invalid(at, name, "a fully qualified name must be a domain and a name separated by a slash");
}

export function checkPoolName(found: Findings, at: string, name: string): void {
  if (name === "") {
    found.required(at);
    return;
  }
  if (name.length > LONGEST_POOL) found.tooLong(at, LONGEST_POOL);
  for (const part of name.split("/")) found.name(dnsSubdomain, at, part);
}

export const checkDeviceName = (found: Findings, at: string, name: string): void => found.name(dnsLabel, at, name);

/** `resource/v1.DeviceToleration` */
export function checkToleration(found: Findings, at: string, toleration: Json): void {
  const text = (field: string): string => textAt(toleration, field);
  if (text("key") !== "") found.name(qualifiedName, `${at}.key`, text("key"));
  const operator = text("operator");
  if (operator === "") found.required(`${at}.operator`);
  else if (operator === "Equal") found.name(labelValue, `${at}.value`, text("value"));
  else if (operator !== "Exists") found.notSupported(`${at}.operator`, operator, ["Equal", "Exists"]);
  else if (text("value") !== "") found.invalid(`${at}.value`, text("value"), "must be empty for operator `Exists`");
  if (text("effect") !== "") found.oneOf(`${at}.effect`, text("effect"), EFFECTS);
}
