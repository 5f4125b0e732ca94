import {
  apiVersionOf,
  CelError,
  type CelType,
  celTypeOf,
  compilationText,
  type JsonObject,
  type Kind,
  type KindRegistry,
  type KubeObject,
  listAt,
  parseApiVersion,
  textAt,
  valueAt,
} from "@boxship/api";
import type { Turns } from "@boxship/base";
import { builtinKind } from "../../storage/read-objects.ts";
import { typedProgram } from "./request-scope.ts";

/** Of the kinds that a policy is about, so many are looked at. */
const MOST_KINDS = 10;
const DYN: CelType = { kind: "dyn" };

/**
 * What is wrong with a validating policy's expressions for the kinds that it names: `status.typeChecking`. A policy about
 * everything is about nothing that could be checked. Gives way after each validation.
 */
export function* checkTypes(kinds: KindRegistry, policy: KubeObject): Turns<JsonObject> {
  const about = kindsOf(kinds, policy);
  const params = paramsType(kinds, policy);
  const namespaceObject = celTypeOf(builtinKind({ kinds }, "", "namespaces").schema, "Namespace");
  const environments = about.map((kind) => {
    const object = celTypeOf(kind.schema, kind.kind);
    const types = new Map<string, CelType>([
      ["object", object],
      ["oldObject", object],
      ["params", params],
      ["namespaceObject", namespaceObject],
    ]);
    return { kind, types: types.set("variables", variablesType(policy, types)) };
  });
  const warnings: JsonObject[] = [];
  for (const [index, validation] of listAt(policy, "spec", "validations").entries()) {
    if (environments.length > 0) yield undefined;
    for (const field of ["expression", "messageExpression"]) {
      const text = textAt(validation, field);
      const found = text === "" ? [] : environments.flatMap(({ kind, types }) => problemOf(text, kind, types));
      if (found.length > 0)
        warnings.push({ fieldRef: `spec.validations[${index}].${field}`, warning: found.join("\n") });
    }
  }
  return warnings.length === 0 ? {} : { expressionWarnings: warnings };
}

/** In upstream's words, with the kind for which the expression is none. */
function problemOf(text: string, kind: Kind, types: ReadonlyMap<string, CelType>): readonly string[] {
  try {
    typedProgram(text, types);
    return [];
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const why = compilationText(text, error).replace("compilation failed: ", "");
    return [`${kind.group === "" ? "/" : ""}${apiVersionOf(kind)}, Kind=${kind.kind}: ${why}`];
  }
}

/** Variables see those before them; one that is no expression can be anything. */
function variablesType(policy: KubeObject, types: ReadonlyMap<string, CelType>): CelType {
  const fields = new Map<string, CelType>();
  for (const variable of listAt(policy, "spec", "variables")) {
    const own: CelType = { kind: "object", name: "kubernetes.variables", fields: new Map(fields) };
    let type = DYN;
    try {
      ({ type } = typedProgram(textAt(variable, "expression"), new Map([...types, ["variables", own]])));
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
    }
    fields.set(textAt(variable, "name"), type);
  }
  return { kind: "object", name: "kubernetes.variables", fields };
}

function paramsType(kinds: KindRegistry, policy: KubeObject): CelType {
  const wanted = valueAt(policy, "spec", "paramKind");
  const { group = "", version = "" } = parseApiVersion(textAt(wanted, "apiVersion")) ?? {};
  const kind = kinds.findKind(group, version, textAt(wanted, "kind"));
  return kind === undefined ? DYN : celTypeOf(kind.schema, kind.kind);
}

/** The kinds that the policy's rules name, one by one. */
function kindsOf(kinds: KindRegistry, policy: KubeObject): readonly Kind[] {
  const found = new Set<Kind>();
  for (const rule of listAt(policy, "spec", "matchConstraints", "resourceRules")) {
    const [groups, versions, resources] = ["apiGroups", "apiVersions", "resources"].map((field) =>
      listAt(rule, field).map((one) => textAt(one)),
    ) as [string[], string[], string[]];
    if ([groups, versions, resources].some((all) => all.includes("*"))) continue;
    for (const group of groups) {
      for (const version of versions) {
        for (const resource of resources) {
          const kind = kinds.find(group, version, resource);
          if (kind !== undefined) found.add(kind);
        }
      }
    }
  }
  return [...found].slice(0, MOST_KINDS);
}
