import type { Json } from "../object/json.ts";
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  invalidUnshown,
  MOST_TOLD,
  notFoundField,
  notSupported,
  required,
  tooLong,
  tooMany,
} from "../status/field-error.ts";
import { labelValue, type NameRule, qualifiedName } from "./names.ts";
import { immutable } from "./validate-metadata.ts";

/** What a validator has found so far, in the order in which it looked: all of it, or more than are told. */
export class Findings {
  readonly all: FieldError[] = [];

  /** Nobody is told of what is found from here on. */
  get isFull(): boolean {
    return this.all.length > MOST_TOLD;
  }

  add(...errors: readonly FieldError[]): void {
    if (!this.isFull) for (const error of errors) this.all.push(error);
  }

  required(field: string, detail?: string): void {
    if (!this.isFull) this.all.push(required(field, detail));
  }

  invalid(field: string, value: Json | undefined, detail: string): void {
    if (!this.isFull) this.all.push(invalid(field, value, detail));
  }

  invalidUnshown(field: string, detail: string): void {
    if (!this.isFull) this.all.push(invalidUnshown(field, detail));
  }

  forbidden(field: string, detail: string): void {
    if (!this.isFull) this.all.push(forbiddenField(field, detail));
  }

  duplicate(field: string, value: Json | undefined, detail?: string): void {
    if (!this.isFull) this.all.push(duplicate(field, value, detail));
  }

  notFound(field: string, value: Json | undefined, detail?: string): void {
    if (!this.isFull) this.all.push(notFoundField(field, value, detail));
  }

  notSupported(field: string, value: Json | undefined, choices: readonly string[]): void {
    if (!this.isFull) this.all.push(notSupported(field, value, choices));
  }

  tooLong(field: string, bytes: number): void {
    if (!this.isFull) this.all.push(tooLong(field, bytes));
  }

  tooMany(field: string, actual: number, most: number): void {
    if (!this.isFull) this.all.push(tooMany(field, actual, most));
  }

  /** @param shown what is printed in its place */
  name(rule: NameRule, field: string, value: string, shown: Json = value): void {
    if (this.isFull) return;
    for (const problem of rule(value)) this.invalid(field, shown, problem);
  }

  /** One that must be there and be of a rule. */
  requiredName(rule: NameRule, field: string, value: string, detail?: string): void {
    if (value === "") this.required(field, detail);
    else this.name(rule, field, value);
  }

  /** Nothing is said of an absent one. */
  oneOf(field: string, value: Json | undefined, choices: readonly string[]): void {
    if (value === undefined || value === null) return;
    if (typeof value !== "string" || !choices.includes(value)) this.notSupported(field, value, choices);
  }

  atLeastZero(field: string, value: Json | undefined): void {
    if (typeof value === "number" && value < 0) this.invalid(field, value, "must be greater than or equal to 0");
  }

  positive(field: string, value: Json | undefined): void {
    if (typeof value === "number" && value <= 0) this.invalid(field, value, "must be greater than zero");
  }

  /** An absent number is a zero. */
  between(field: string, value: Json | undefined, least: number, most: number): void {
    const number = typeof value === "number" ? value : 0;
    if (number < least || number > most) this.invalid(field, number, `must be between ${least} and ${most}, inclusive`);
  }

  port(field: string, value: Json | undefined): void {
    this.between(field, value, 1, 65535);
  }

  immutable(field: string, now: Json | undefined, before: Json | undefined): void {
    this.add(...immutable(field, now, before));
  }

  /** Of a map of labels. */
  labels(field: string, labels: Json | undefined): void {
    if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return;
    for (const [key, value] of Object.entries(labels)) {
      this.name(qualifiedName, field, key);
      this.name(labelValue, field, typeof value === "string" ? value : "");
    }
  }
}

/** Runs a validator. */
export function findingsOf(look: (found: Findings) => void): readonly FieldError[] {
  const found = new Findings();
  look(found);
  return found.all;
}
