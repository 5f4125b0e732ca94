import type { Turns } from "@boxship/base";
import { deepEqual, isObject, type Json, type JsonObject } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, notSupported, required } from "../status/field-error.ts";
import { dns1035Label, dnsSubdomain } from "../validation/names.ts";
import { approvalErrors } from "./validate-approval.ts";
import { conversionErrors } from "./validate-conversion.ts";
import { definitionNameErrors, joinedProblems, namesErrors } from "./validate-definition-names.ts";
import { validateDefinitionSchema } from "./validate-definition-schema.ts";
import { selectableErrors } from "./validate-selectable.ts";
import { columnErrors, deprecationErrors, scaleErrors } from "./validate-served.ts";

/**
 * What is wrong with a CustomResourceDefinition, in upstream's words. What all versions say alike is told of
 * `spec.validation`, `spec.subresources` and so on, as upstream has it. Gives way now and then.
 *
 * @param old what it was, undefined for a new one
 */
export function* validateDefinition(crd: KubeObject, old?: KubeObject): Turns<readonly FieldError[]> {
  const preserves = valueAt(crd, "spec", "preserveUnknownFields") === true;
  const { errors: versions, hasDefaults } = yield* validateVersions(crd);
  return [
    ...definitionNameErrors(crd),
    ...groupErrors(textAt(crd, "spec", "group")),
    ...scopeErrors(textAt(crd, "spec", "scope")),
    ...(preserves && hasDefaults
      ? [invalid("spec.preserveUnknownFields", true, "must be false in order to use defaults in the schema")]
      : []),
    ...versions,
    ...["plural", "singular", "kind", "listKind"]
      .filter((name) => textAt(crd, "spec", "names", name) === "")
      .map((name) => required(`spec.names.${name}`)),
    ...namesErrors(valueAt(crd, "spec", "names"), "spec.names"),
    ...conversionErrors(valueAt(crd, "spec", "conversion"), preserves, old),
    ...approvalErrors(crd, old),
    ...(preserves && valueAt(old, "spec", "preserveUnknownFields") !== true
      ? [invalid("spec.preserveUnknownFields", true, PRESERVES)]
      : []),
  ];
}

const PRESERVES =
  "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";

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

function groupErrors(group: string): readonly FieldError[] {
  if (group === "") return [required("spec.group")];
  const problems = joinedProblems(dnsSubdomain, "spec.group", group);
  if (problems.length > 0 || group.includes(".")) return problems;
  return [invalid("spec.group", group, "should be a domain with at least one dot")];
}

function scopeErrors(scope: string): readonly FieldError[] {
  if (scope === "") return [required("spec.scope")];
  const scopes = ["Cluster", "Namespaced"];
  return scopes.includes(scope) ? [] : [notSupported("spec.scope", scope, scopes)];
}

/** A part of a version, and where it is told of. */
interface Part {
  readonly value: Json | undefined;
  readonly path: string;
}

/** What each version has in one field; once, where they have the same. */
function partsOf(versions: readonly Json[], field: string, shared: string): readonly Part[] {
  const values = versions.map((one) => valueAt(one, field) ?? undefined);
  const [first] = values;
  if (values.every((value) => deepEqual(value ?? null, first ?? null)))
    return [{ value: first, path: `spec.${shared}` }];
  return values.map((value, index) => ({ value, path: `spec.versions[${index}].${field}` }));
}

function* validateVersions(crd: KubeObject): Turns<{ readonly errors: FieldError[]; readonly hasDefaults: boolean }> {
  const versions = listAt(crd, "spec", "versions");
  const errors: FieldError[] = [];
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    if (!isObject(valueAt(version, "schema", "openAPIV3Schema") ?? null))
      errors.push(required(`${at}.schema.openAPIV3Schema`));
    errors.push(
      ...joinedProblems(dns1035Label, `${at}.name`, textAt(version, "name")),
      ...deprecationErrors(version, at),
    );
  }
  const names = versions.map((one) => textAt(one, "name"));
  if (new Set(names).size < names.length)
    errors.push(invalid("spec.versions", [...versions], "must contain unique version names"));
  if (versions.filter((one) => valueAt(one, "storage") === true).length !== 1) {
    const all = valueAt(crd, "spec", "versions");
    errors.push(invalid("spec.versions", all, "must have exactly one version marked as storage version"));
  }
  let hasDefaults = false;
  const withStatus = versions.map((one) => valueAt(one, "subresources", "status") !== undefined);
  const schemas = partsOf(versions, "schema", "validation");
  for (const [index, { value, path }] of schemas.entries()) {
    const schema = valueAt(value, "openAPIV3Schema");
    if (!isObject(schema ?? null)) continue;
    const hasStatus = schemas.length < versions.length ? withStatus.includes(true) : withStatus[index] === true;
    const found = yield* validateDefinitionSchema(schema as JsonObject, `${path}.openAPIV3Schema`, hasStatus);
    hasDefaults ||= found.hasDefaults;
    for (const error of found.errors) errors.push(error);
  }
  for (const { value, path } of partsOf(versions, "subresources", "subresources"))
    errors.push(...scaleErrors(valueAt(value, "scale"), `${path}.scale`));
  for (const { value, path } of partsOf(versions, "additionalPrinterColumns", "additionalPrinterColumns"))
    for (const [index, column] of listAt(value).entries()) errors.push(...columnErrors(column, `${path}[${index}]`));
  const selectable = partsOf(versions, "selectableFields", "selectableFields");
  for (const [index, version] of versions.entries()) {
    const { value, path } = selectable[index] ?? selectable[0] ?? { value: undefined, path: "" };
    errors.push(...selectableErrors(listAt(value), valueAt(version, "schema", "openAPIV3Schema"), path));
  }
  return { errors, hasDefaults };
}
