import type { Kind } from "../kind/kind.ts";
import { type KubeObject, textAt, valueAt } from "../object/kube-object.ts";
import { badRequest } from "../status/failures.ts";

/** Conditions on single fields; all must hold. */
export type FieldSelector = readonly FieldRequirement[];

export interface FieldRequirement {
  /** e.g. `status.phase` */
  readonly field: string;
  /** Its parts. */
  readonly path: readonly string[];
  readonly equal: boolean;
  readonly value: string;
}

/**
 * Reads `a.b=c,d!=e`, with `\,`, `\=` and `\\` escaped in values.
 *
 * @throws BadRequest for what is no selector, and for a field that the kind has none for, in upstream's words
 */
export function parseFieldSelector(text: string, kind: Kind): FieldSelector {
  const terms = splitTerms(text).map((term) => {
    const match = /^(?<field>.*?)(?<operator>!=|==|=)(?<value>.*)$/s.exec(term);
    const { field = "", operator, value = "" } = match?.groups ?? {};
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    return { field, equal: operator !== "!=", value: unescaped(value) };
  });
  return terms.map((term) => {
    const field = selectable(kind, term.field);
    return { ...term, field, path: field.split(".") };
  });
}

/** In the order in which they are looked at. */
function splitTerms(text: string): readonly string[] {
  return (text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? []).sort();
}

function unescaped(value: string): string {
  return value.replace(/\\(.|$)|[,=]/gsu, (found, escaped?: string) => {
    if (escaped === undefined)
      throw badRequest(`invalid field selector: unescaped character in value: ${found.codePointAt(0)}`);
    if (!/^[\\,=]$/.test(escaped)) throw badRequest(`invalid field selector: invalid escape sequence: ${found}`);
    return escaped;
  });
}

/** Who has fields of its own to select by says so in one way, all others in another. */
function selectable(kind: Kind, field: string): string {
  if (isSelectable(kind, field)) return field;
  const { group, version, resource } = kind;
  const name = group === "" ? resource : `${resource}.${group}`;
  if (name === "pods" && field === "spec.host") return "spec.nodeName";
  if (name === "jobs.batch") throw badRequest(`field label ${JSON.stringify(field)} not supported for batchv1.Job`);
  const about = name === "resourceslices.resource.k8s.io" ? ` for ${group}/${version}, Kind=${kind.kind}` : "";
  if (kind.custom || kind.selectableFields.length > 0) throw badRequest(`field label not supported${about}: ${field}`);
  const known = '"metadata.name", "metadata.namespace"';
  throw badRequest(`${JSON.stringify(field)} is not a known field selector: only ${known}`);
}

const isSelectable = ({ namespaced, selectableFields, custom }: Kind, field: string): boolean =>
  field === "metadata.name" ||
  (field === "metadata.namespace" && (namespaced || (!custom && selectableFields.length === 0))) ||
  selectableFields.includes(field);

export function matchesFields(selector: FieldSelector, object: KubeObject): boolean {
  return selector.every((one) => (fieldText(object, one) === one.value) === one.equal);
}

function fieldText(object: KubeObject, { field, path }: FieldRequirement): string {
  const value = valueAt(object, ...path);
  if (value === undefined || value === null)
    return BOOLEAN_FIELDS.has(field) ? "false" : NUMBER_FIELDS.has(field) ? "0" : "";
  if (field === "status.podIPs" && Array.isArray(value)) return value.map((one) => textAt(one, "ip")).join(",");
  if (field === "source") return textAt(value, "component");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const BOOLEAN_FIELDS = new Set(["spec.unschedulable", "spec.hostNetwork"]);
const NUMBER_FIELDS = new Set(["status.replicas", "status.successful"]);
