import { getField, type Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";

const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?$/;
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const BASE_64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

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

/** Required fields, and texts that must be of a form: what the definitions of built-in kinds say. */
export function validateRequired(schema: Schema, value: Json, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  walk(schema, value, path, errors);
  return errors;
}

function walk(schema: Schema, value: Json, path: string, errors: FieldError[]): void {
  if (typeof value === "string") {
    errors.push(...formErrors(schema, value, path));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined)
      for (const [index, item] of value.entries()) walk(items, item, `${path}[${index}]`, errors);
    return;
  }
  const { properties, additional, required: needed, definition } = schema;
  for (const field of needed ?? []) {
    if (isAbsent(getField(value, field)) && !MAY_BE_ABSENT.has(`${definition}.${field}`)) {
      errors.push(required(path === "" ? field : `${path}.${field}`));
    }
  }
  if (properties === undefined && additional === undefined) return;
  for (const [field, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const below = properties?.get(field);
    if (typeof item === "string" && (below ?? additional)?.format === undefined) continue;
    if (below !== undefined) walk(below, item, path === "" ? field : `${path}.${field}`, errors);
    else if (additional !== undefined) walk(additional, item, `${path}[${field}]`, errors);
  }
}

function isAbsent(value: Json | undefined): boolean {
  return value === undefined || value === null;
}

function formErrors({ format }: Schema, value: string, path: string): readonly FieldError[] {
  switch (format) {
    case "quantity":
      return QUANTITY.test(value)
        ? []
        : [
            invalid(
              path,
              value,
              "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
          ];
    case "date-time":
      return RFC_3339.test(value) ? [] : [invalid(path, value, `parsing time ${JSON.stringify(value)} as RFC 3339`)];
    case "byte":
      return BASE_64.test(value.replace(/[\r\n]/g, "")) ? [] : [invalid(path, value, "illegal base64 data")];
    default:
      return [];
  }
}
