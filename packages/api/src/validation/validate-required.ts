import { getField, type Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { type FieldError, required } from "../status/field-error.ts";

/** Fields that a built-in definition requires and upstream fills in or takes empty. */
const MAY_BE_ABSENT = new Set([
  "apps.v1.DaemonSetSpec.template",
  "apps.v1.StatefulSetSpec.serviceName",
  "authorization.v1.SubjectAccessReviewStatus.allowed",
  "batch.v1.JobSpec.template",
  "core.v1.GRPCAction.port",
  "core.v1.Event.metadata",
  "events.v1.Event.eventTime",
  "rbac.v1.ClusterRole.rules",
  "rbac.v1.Role.rules",
]);

/** Required fields: what the definitions of built-in kinds say. */
export function validateRequired(schema: Schema, value: Json, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  walk(schema, value, path, errors);
  return errors;
}

function walk(schema: Schema, value: Json, path: string, errors: FieldError[]): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined && hasFields(items))
      for (const [index, item] of value.entries()) walk(items, item, `${path}[${index}]`, errors);
    return;
  }
  const { properties, additional, required: needed, definition } = schema;
  for (const field of needed ?? []) {
    if (isAbsent(getField(value, field)) && !MAY_BE_ABSENT.has(`${definition}.${field}`)) {
      errors.push(required(path === "" ? field : `${path}.${field}`));
    }
  }
  if (properties === undefined && (additional === undefined || !hasFields(additional))) return;
  for (const [field, item] of Object.entries(value)) {
    if (typeof item !== "object") continue;
    const below = properties?.get(field);
    if (below !== undefined) walk(below, item, path === "" ? field : `${path}.${field}`, errors);
    else if (additional !== undefined) walk(additional, item, `${path}[${field}]`, errors);
  }
}

/** Maps and lists of scalars, which may be long, have nothing to look for. */
const hasFields = ({ type }: Schema): boolean => type === undefined || type === "object" || type === "array";

function isAbsent(value: Json | undefined): boolean {
  return value === undefined || value === null;
}
