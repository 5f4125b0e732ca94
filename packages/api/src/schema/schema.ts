import type { Json } from "../object/json.ts";

/**
 * What a value may be: the structural part of an OpenAPI schema with Kubernetes' extensions. Built-in kinds have theirs
 * from the table of definitions, custom kinds from their CRD; everything after that is the same.
 */
export interface Schema {
  /** Absent: anything. */
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  /** `int32`, `int64`, `byte`, `date-time`, …, and `quantity`. */
  readonly format?: string;
  readonly properties?: ReadonlyMap<string, Schema>;
  /** The values of a map. */
  readonly additional?: Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly default?: Json;
  readonly nullable?: boolean;
  readonly intOrString?: boolean;
  /** Fields that no property names stay. */
  readonly preserveUnknown?: boolean;
  /** A whole object with apiVersion, kind and metadata. */
  readonly embedded?: boolean;
  /** How server-side apply merges a list. @default atomic */
  readonly listType?: "atomic" | "set" | "map";
  readonly listKeys?: readonly string[];
  /** How server-side apply merges an object. @default granular */
  readonly mapType?: "atomic" | "granular";
  /** How a strategic merge patch changes it. @default replace */
  readonly patchStrategy?: ReadonlySet<string>;
  readonly patchMergeKey?: string;
  /** The name of the built-in definition, e.g. `core.v1.PodSpec`. */
  readonly definition?: string;
  readonly description?: string;
  readonly rules?: ValueRules;
  /** Rules in CEL, `x-kubernetes-validations`. */
  readonly celRules?: readonly CelRule[];
}

/** `apiextensions/v1.ValidationRule` */
export interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  /** Where the error is said, below where the rule is. */
  readonly fieldPath?: string;
  /** `oldSelf` is an optional value, and the rule holds for new objects, too. */
  readonly optionalOldSelf?: boolean;
}

/** What a value must be beyond its type: only custom kinds have these. */
export interface ValueRules {
  readonly enum?: readonly Json[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
}

export const ANYTHING: Schema = { preserveUnknown: true };
