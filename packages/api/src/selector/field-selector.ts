import type { Kind } from "../kind/kind.ts";
import { type KubeObject, textAt, valueAt } from "../object/kube-object.ts";
import { badRequest } from "../status/failures.ts";

/** Conditions on single fields; all must hold. */
export type FieldSelector = readonly FieldRequirement[];

export interface FieldRequirement {
  /** e.g. `status.phase` */
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/**
 * Reads `a.b=c,d!=e`, with `\,`, `\=` and `\\` escaped in values.
 *
 * @throws BadRequest for what is no selector, and for a field that the kind has none for
 */
export function parseFieldSelector(text: string, kind: Kind): FieldSelector {
  return splitTerms(text).map((term) => {
    const match = /^(?<field>[^=!]+)(?<operator>==|=|!=)(?<value>.*)$/s.exec(term);
    const { field = "", operator, value = "" } = match?.groups ?? {};
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    if (!isSelectable(kind, field)) throw badRequest(`field label not supported: ${field}`);
    return { field, equal: operator !== "!=", value: value.replace(/\\([\\,=])/g, "$1") };
  });
}

function splitTerms(text: string): string[] {
  return text === "" ? [] : (text.match(/(?:\\.|[^,\\])+/gs) ?? []);
}

const isSelectable = ({ namespaced, selectableFields }: Kind, field: string): boolean =>
  field === "metadata.name" || (field === "metadata.namespace" && namespaced) || selectableFields.includes(field);

export function matchesFields(selector: FieldSelector, object: KubeObject): boolean {
  return selector.every(({ field, equal, value }) => (fieldText(object, field) === value) === equal);
}

function fieldText(object: KubeObject, field: string): string {
  const value = valueAt(object, ...field.split("."));
  if (value === undefined || value === null)
    return BOOLEAN_FIELDS.has(field) ? "false" : NUMBER_FIELDS.has(field) ? "0" : "";
  if (field === "status.podIPs" && Array.isArray(value)) return value.map((one) => textAt(one, "ip")).join(",");
  if (field === "source") return textAt(value, "component");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const BOOLEAN_FIELDS = new Set(["spec.unschedulable", "spec.hostNetwork"]);
const NUMBER_FIELDS = new Set(["status.replicas", "status.successful"]);
