import { isObject, type Json } from "../object/json.ts";
import type { StatusCause } from "./status.ts";

/** One thing that is wrong with one field, in the words of upstream's validation. */
export interface FieldError {
  readonly reason: FieldErrorReason;
  /** e.g. `spec.containers[0].name` */
  readonly field: string;
  /** Without the field. */
  readonly message: string;
}

/** Errors of one object that are told; there may be a hundred thousand, and each has a long sentence. */
export const MOST_TOLD = 1000;

export type FieldErrorReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueNotFound"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueTypeInvalid"
  | "InternalError";

export const required = (field: string, detail = ""): FieldError => ({
  reason: "FieldValueRequired",
  field,
  message: detail === "" ? "Required value" : `Required value: ${detail}`,
});

export const invalid = (field: string, value: Json | undefined, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${printed(value)}: ${detail}`,
});

/** Of a value that is too large to be shown, or is not there. */
export const invalidUnshown = (field: string, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${detail}`,
});

export const typeInvalid = (field: string, value: Json | undefined, detail: string): FieldError => ({
  reason: "FieldValueTypeInvalid",
  field,
  message: `Invalid value: ${printed(value)}: ${detail}`,
});

export const notSupported = (field: string, value: Json | undefined, choices: readonly string[]): FieldError => ({
  reason: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${printed(value)}: supported values: ${choices.map((one) => JSON.stringify(one)).join(", ")}`,
});

export const duplicate = (field: string, value: Json | undefined, detail = ""): FieldError => ({
  reason: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${printed(value)}${detail === "" ? "" : `: ${detail}`}`,
});

export const forbiddenField = (field: string, detail: string): FieldError => ({
  reason: "FieldValueForbidden",
  field,
  message: `Forbidden: ${detail}`,
});

export const notFoundField = (field: string, value: Json | undefined, detail = ""): FieldError => ({
  reason: "FieldValueNotFound",
  field,
  message: `Not found: ${printed(value)}${detail === "" ? "" : `: ${detail}`}`,
});

export const tooLong = (field: string, bytes: number): FieldError => ({
  reason: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${bytes} bytes`,
});

export const tooLongText = (field: string, characters: number): FieldError => ({
  reason: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${characters} characters`,
});

export const tooMany = (field: string, actual: number, most: number): FieldError => ({
  reason: "FieldValueTooMany",
  field,
  message: `Too many: ${actual}: must have at most ${most} ${most === 1 ? "item" : "items"}`,
});

export const asCause = ({ reason, field, message }: FieldError): StatusCause => ({ reason, message, field });

export const asText = ({ field, message }: FieldError): string => `${field}: ${message}`;

function printed(value: Json | undefined): string {
  if (value === undefined || value === null) return "null";
  return isObject(value) || Array.isArray(value) || typeof value === "string" ? JSON.stringify(value) : String(value);
}
