import { goJson, quoteJson } from "@boxship/api/go-json";
import { BuildFailure, within } from "../failure.ts";
import { changeField, type FieldSpec } from "../fields/field-spec.ts";
import { writeScalar } from "../fields/setters.ts";
import { isClusterScoped } from "../target/gvk.ts";
import { idKey } from "../target/res-id.ts";
import type { Resource } from "../target/resource.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { WrongKind } from "../yaml/kind-error.ts";
import { isThere, Node, STR } from "../yaml/node.ts";

export interface NamespaceOptions {
  /** Leave the namespaces that are there. @default false */
  readonly unsetOnly?: boolean;
  /** Which subjects of role bindings get it. @default "defaultOnly" */
  readonly setRoleBindingSubjects?: string;
}

const MODES = ["defaultOnly", "none", "allServiceAccounts"];
/** Says of a chart's object that its namespace is the chart's. */
const FROM_HELM = "internal.config.kubernetes.io/helm-generated";

export function checkSubjectMode(mode: string): void {
  if (mode === "" || MODES.includes(mode)) return;
  throw new BuildFailure(
    `invalid value ${quoteJson(mode)} for setRoleBindingSubjects: must be one of ${MODES.map((one) => quoteJson(one))
      .join(", ")
      .replace(/, (?="allS)/, " or ")}`,
  );
}

/** Puts everything that can be in a namespace into one. */
export function setNamespace(
  map: ResourceMap,
  namespace: string,
  fields: readonly FieldSpec[],
  options: NamespaceOptions = {},
): void {
  const ids = new Map<string, number>();
  const count = (key: string, by: number): number => {
    const now = (ids.get(key) ?? 0) + by;
    ids.set(key, now);
    return now;
  };
  for (const { id } of map.resources) count(idKey(id), 1);
  for (const resource of map.resources) {
    if (resource.node.isEmpty || resource.annotations.get(FROM_HELM) === "true") continue;
    count(idKey(resource.id), -1);
    resource.keepId();
    setOne(resource, namespace, fields, options);
    if (count(idKey(resource.id), 1) === 1) continue;
    const key = idKey(resource.id);
    const same = map.resources.filter(({ id }) => idKey(id) === key).map((one) => goJson(one.withNotes().toJson()));
    throw new BuildFailure(`namespace transformation produces ID conflict: [${same.join(" ")}]`);
  }
}

const METADATA: FieldSpec = { group: "", version: "", kind: "", path: "metadata/namespace", create: true };

export function setOne(
  resource: Resource,
  namespace: string,
  fields: readonly FieldSpec[],
  { unsetOnly = false, setRoleBindingSubjects = "defaultOnly" }: NamespaceOptions,
): void {
  const set = (field: Node): void => {
    if (!(unsetOnly && !field.isEmpty && field.text !== "")) writeScalar(field, namespace, STR);
  };
  const make = { kind: "scalar", tag: STR } as const;
  if (!isClusterScoped(resource.gvk)) changeField(resource, METADATA, { set, make });
  const isBinding = /^(Cluster)?RoleBinding$/.test(resource.kind);
  if (isBinding) setSubjects(resource, setRoleBindingSubjects || "defaultOnly", set);
  for (const spec of fields) {
    if (spec.path === METADATA.path || (spec.path === "metadata/name" && resource.apiVersion !== "v1")) continue;
    if (isBinding && /^(Cluster)?RoleBinding$/.test(spec.kind) && spec.path === "subjects/namespace") continue;
    try {
      changeField(resource, spec, { set, make });
    } catch (error) {
      const cause = error instanceof BuildFailure ? rootOf(error) : undefined;
      const what = cause instanceof WrongKind ? "namespace field specs must target scalar nodes" : undefined;
      throw within(what ?? "namespace transformation failed", error);
    }
  }
}

function rootOf(error: Error): unknown {
  let here: unknown = error;
  while (here instanceof Error && here.cause !== undefined) here = here.cause;
  return here;
}

function setSubjects({ node }: Resource, mode: string, set: (field: Node) => void): void {
  if (mode === "none") return;
  const subjects = node.get("subjects");
  if (!isThere(subjects)) return;
  for (const subject of subjects.items) {
    const isMeant =
      mode === "allServiceAccounts"
        ? subject.textAt("kind") === "ServiceAccount"
        : subject.textAt("name") === "default";
    if (!isMeant) continue;
    const field = subject.get("namespace");
    if (field !== undefined) set(field);
    else {
      subject.set("namespace", Node.scalar(""));
      const made = subject.get("namespace");
      if (made !== undefined) set(made);
    }
  }
}
