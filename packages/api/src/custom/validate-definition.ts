import type { Turns } from "@boxship/base";
import { oneOf } from "../hooks/pod-template.ts";
import { isObject, type Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, MOST_TOLD, notSupported, required } from "../status/field-error.ts";
import { checkName, dns1035Label, dnsSubdomain } from "../validation/names.ts";
import { patternProblem } from "../validation/validate-schema.ts";
import { validateWebhookClient } from "../validation/webhook-client.ts";
import { parseJsonPath } from "./json-path.ts";
import { validateRuleTexts } from "./validate-rule-texts.ts";

/** What is wrong with a CustomResourceDefinition. Gives way now and then. */
export function* validateDefinition(crd: KubeObject): Turns<readonly FieldError[]> {
  const [group, plural] = [textAt(crd, "spec", "group"), textAt(crd, "spec", "names", "plural")];
  const errors: FieldError[] = [];
  if (group !== "") errors.push(...checkName(dnsSubdomain, "spec.group", group));
  if (group !== "" && !group.includes("."))
    errors.push(invalid("spec.group", group, "should be a domain with at least one dot"));
  if (plural !== "") errors.push(...checkName(dns1035Label, "spec.names.plural", plural));
  if (crd.metadata.name !== `${plural}.${group}`) {
    errors.push(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  const scope = textAt(crd, "spec", "scope");
  if (scope !== "" && scope !== "Cluster" && scope !== "Namespaced")
    errors.push(notSupported("spec.scope", scope, ["Cluster", "Namespaced"]));
  return [...errors, ...validateConversion(valueAt(crd, "spec", "conversion")), ...(yield* validateVersions(crd))];
}

/** What an update would take away from objects that are kept. */
export function validateDefinitionUpdate(crd: KubeObject): readonly FieldError[] {
  const names = new Set(listAt(crd, "spec", "versions").map((one) => textAt(one, "name")));
  return listAt(crd, "status", "storedVersions").flatMap((one, index) => {
    const version = textAt(one);
    if (names.has(version)) return [];
    const why = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    return [invalid(`status.storedVersions[${index}]`, version, why)];
  });
}

const REVIEWS = ["v1", "v1beta1"];

/** In upstream's words, which are about the fields of its own types. */
function validateConversion(conversion: Json | undefined): readonly FieldError[] {
  const strategy = textAt(conversion, "strategy");
  const webhook = valueAt(conversion, "webhook");
  const [client, reviews] = ["spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions"];
  if (strategy !== "Webhook") {
    const errors = oneOf(conversion, "strategy", "spec.conversion", ["None", "Webhook"]);
    const why = "should not be set when strategy is not set to Webhook";
    return webhook === undefined ? errors : [...errors, forbiddenField(client, why)];
  }
  const config = valueAt(webhook, "clientConfig");
  const versions = listAt(webhook, "conversionReviewVersions").map((one) => textAt(one));
  const errors = [
    ...(config === undefined
      ? [required(client, "required when strategy is set to Webhook")]
      : validateWebhookClient(config, client)),
  ];
  if (versions.length === 0) return [...errors, required(reviews)];
  for (const [index, version] of versions.entries()) {
    const at = `${reviews}[${index}]`;
    if (versions.indexOf(version) !== index) errors.push(invalid(at, version, "duplicate version"));
    else errors.push(...checkName(dns1035Label, at, version));
  }
  if (!versions.some((one) => REVIEWS.includes(one)))
    errors.push(invalid(reviews, versions, `must include at least one of ${REVIEWS.join(", ")}`));
  return errors;
}

function* validateVersions(crd: KubeObject): Turns<readonly FieldError[]> {
  const versions = listAt(crd, "spec", "versions");
  const errors: FieldError[] = [];
  const stored = versions.filter((one) => valueAt(one, "storage") === true).length;
  if (versions.length === 0) return [required("spec.versions", "must have at least one version")];
  const names = versions.map((one) => textAt(one, "name"));
  if (new Set(names).size < names.length)
    errors.push(invalid("spec.versions", [...versions], "must contain unique version names"));
  if (stored !== 1)
    errors.push(invalid("spec.versions", [...versions], "must have exactly one version marked as storage version"));
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    errors.push(...checkName(dns1035Label, `${at}.name`, textAt(version, "name")));
    const schema = valueAt(version, "schema", "openAPIV3Schema");
    if (schema === undefined) errors.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    else {
      const structure: FieldError[] = [];
      yield* checkStructure(schema, `${at}.schema.openAPIV3Schema`, { errors: structure, pace: { left: TURN } }, true);
      // Rules are about types: without those nothing can be said of them.
      const more = structure.length > 0 ? structure : yield* validateRuleTexts(schema, `${at}.schema.openAPIV3Schema`);
      for (const error of more) errors.push(error);
    }
    for (const [place, column] of listAt(version, "additionalPrinterColumns").entries()) {
      const path = textAt(column, "jsonPath");
      if (parseJsonPath(path) === undefined)
        errors.push(invalid(`${at}.additionalPrinterColumns[${place}].jsonPath`, path, "invalid JSON path"));
    }
  }
  return errors;
}

function validatePattern(pattern: Json | undefined, path: string): readonly FieldError[] {
  if (typeof pattern !== "string" || pattern === "") return [];
  const problem = patternProblem(pattern);
  return problem === undefined
    ? []
    : [invalid(path, pattern, `must be a valid regular expression, but isn't: ${problem}`)];
}

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

/** Parts of a schema that are looked at before others have a turn. */
const TURN = 2000;
/** A pattern, which has to be compiled, is as much as so many of them. */
const PATTERN = 50;

interface Look {
  readonly errors: FieldError[];
  /** What may be looked at in this turn. */
  readonly pace: { left: number };
}

/** Structural: every value has a type, and lists and objects say what is in them. */
function* checkStructure(schema: Json, path: string, look: Look, isRoot = false): Turns<void> {
  const { errors, pace } = look;
  if (!isObject(schema) || errors.length > MOST_TOLD) return;
  if (pace.left-- <= 0) {
    pace.left = TURN;
    yield undefined;
  }
  const type = textAt(schema, "type");
  const free = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (type === "" && !free) errors.push(required(`${path}.type`, "must not be empty for specified object fields"));
  if (type !== "" && !TYPES.includes(type)) errors.push(notSupported(`${path}.type`, type, TYPES));
  if (isRoot && type !== "" && type !== "object")
    errors.push(invalid(`${path}.type`, type, "must be object at the root"));
  const { properties, additionalProperties, items } = schema;
  if (schema["pattern"] !== undefined) {
    pace.left -= PATTERN;
    errors.push(...validatePattern(schema["pattern"], `${path}.pattern`));
  }
  if (type === "array" && items === undefined) errors.push(required(`${path}.items`, "must be specified"));
  if (isObject(properties) && additionalProperties !== undefined) {
    errors.push(
      forbiddenField(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
    );
  }
  if (isObject(properties)) {
    for (const [field, below] of Object.entries(properties)) {
      if (isRoot && field === "metadata") continue;
      yield* checkStructure(below ?? null, `${path}.properties[${field}]`, look);
    }
  }
  if (isObject(additionalProperties)) yield* checkStructure(additionalProperties, `${path}.additionalProperties`, look);
  if (isObject(items)) yield* checkStructure(items, `${path}.items`, look);
}
