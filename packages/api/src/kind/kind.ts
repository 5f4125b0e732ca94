import type { Turns } from "@boxship/base";
import type { Json } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";
import type { Schema } from "../schema/schema.ts";
import type { FieldError } from "../status/field-error.ts";

/** Everything that the server knows of one version of one resource; built-in and custom ones alike. */
export interface Kind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  /** Plural, as paths have it. */
  readonly resource: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: ReadonlySet<Verb>;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Names below an object's path: `status`, `scale`, … */
  readonly subresources: ReadonlySet<string>;
  /** The group and version in which objects are kept; others are converted from it. */
  readonly storageGroup: string;
  readonly storageVersion: string;
  /** Absent: objects are kept as they are shown. */
  readonly conversion?: Conversion;
  readonly schema: Schema;
  readonly custom: boolean;
  /** Without Name and Age at the end of most: as tables have them, in their order. */
  readonly columns: readonly Column[];
  /** Paths that field selectors may name besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Where the scale subresource finds its numbers. */
  readonly scale?: ScalePaths;
  readonly hooks: KindHooks;
  /** What everybody who uses it is warned of. */
  readonly deprecation?: string | undefined;
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

/** How objects that were kept in another version, or by another schema, become a kind's. */
export interface Conversion {
  /** By apiVersion, of versions that are not served, too. */
  readonly schemas: ReadonlyMap<string, Schema>;
  /** Makes a new object in another version; absent where a webhook does it. */
  readonly convert?: (object: KubeObject, apiVersion: string) => KubeObject;
  readonly webhook?: ConversionWebhook;
}

/** Who converts a custom kind's objects, `apiextensions/v1.WebhookConversion`. */
export interface ConversionWebhook {
  readonly clientConfig: Json;
  /** Of ConversionReview, the preferred one first. */
  readonly reviewVersions: readonly string[];
}

/** A column of a table, `meta/v1.TableColumnDefinition`, and how its cells are made. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown; others with `-o wide`. */
  readonly priority: number;
  /** @param now milliseconds since the epoch */
  cell(object: KubeObject, now: number): Json;
}

/** Paths of fields, e.g. `spec.replicas`. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Of a label selector, as object or as text. */
  readonly selector?: readonly string[];
}

/** What a schema cannot say about a kind. Objects are changed in place. */
export interface KindHooks {
  /** Defaults that depend on other fields. Runs after the schema's, and again on objects that were defaulted. */
  applyDefaults?(object: KubeObject): void;
  /** What a new object gets or loses whoever makes it; status has been taken away. */
  prepareCreate?(object: KubeObject): void;
  /** A new object may come with its status. @default false */
  readonly keepsStatus?: boolean;
  /** What an update cannot change is put back. */
  prepareUpdate?(object: KubeObject, old: KubeObject, subresource: string): void;
  /** Whether spec is what counts for generation. @default every kind with a spec but a few of upstream's */
  readonly tracksGeneration?: boolean;
  /** @param old what it was before a change: what was wrong already may stay so; undefined for a new one */
  validate?(object: KubeObject, old?: KubeObject): readonly FieldError[];
  /** In place of `validate`, where it may take long. */
  validateInTurns?(object: KubeObject, old?: KubeObject): Turns<readonly FieldError[]>;
  /** Besides `validate`. @param subresource that the change is made by; empty: the object itself */
  validateUpdate?(object: KubeObject, old: KubeObject, subresource: string): readonly FieldError[];
  /** Of a status that is written by itself. */
  validateStatus?(object: KubeObject, old: KubeObject): readonly FieldError[];
  /** What its writer is told, though it is kept. */
  warnings?(object: KubeObject, old?: KubeObject): readonly string[];
  /** The rules are all of upstream's: of what is missing they alone say what is required. @default false */
  readonly validatesAll?: boolean;
  /** How long an object stays when it is deleted gracefully; 0: it goes at once. @default 0 */
  gracePeriod?(object: KubeObject, requested: number | undefined): number;
}
