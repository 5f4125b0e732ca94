import { Internal } from "@boxship/base";
import { columnsOf } from "../columns/builtin-columns.ts";
import { conversionOf } from "../conversion/builtin-conversions.ts";
import { hooksOf } from "../hooks/builtin-hooks.ts";
import { definition } from "../schema/definitions.ts";
import type { Schema } from "../schema/schema.ts";
import { RESOURCES } from "../tables/resources.ts";
import type { Column, Conversion, Kind, KindHooks, ScalePaths, Verb } from "./kind.ts";
import { SELECTABLE_FIELDS } from "./selectable-fields.ts";

const ALL: readonly Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const VERBS: Readonly<Record<string, ReadonlySet<Verb>>> = {
  all: new Set(ALL),
  "no-collection": new Set(ALL.filter((verb) => verb !== "deletecollection")),
  create: new Set<Verb>(["create"]),
  read: new Set<Verb>(["get", "list"]),
};

/** Of the core group. */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  componentstatuses: "v1 ComponentStatus is deprecated in v1.19+",
  endpoints: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
};

const SCALE: ScalePaths = {
  specReplicas: ["spec", "replicas"],
  statusReplicas: ["status", "replicas"],
  selector: ["spec", "selector"],
};

/** One list, by which it is known what has been looked up before. */
const NO_FIELDS: readonly string[] = [];

let known: readonly Kind[] | undefined;

/** Every built-in kind. Their schemas, columns and hooks are looked up when they are first needed. */
export function builtinKinds(): readonly Kind[] {
  known ??= RESOURCES.trim()
    .split("\n")
    .map((line) => new BuiltinKind(line));
  return known;
}

class BuiltinKind implements Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly resource: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: ReadonlySet<Verb>;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: ReadonlySet<string>;
  readonly custom = false;
  readonly scale?: ScalePaths;
  readonly storageGroup: string;
  readonly storageVersion: string;
  readonly #definition: string;

  constructor(line: string) {
    const [group = "", version = "", resource = "", kind = "", scope = "", verbs = "", name = "", ...rest] =
      line.split(" ");
    const more = new Map(rest.map((word) => word.split("=", 2) as [string, string]));
    const list = (key: string): readonly string[] => more.get(key)?.split(",") ?? [];
    const set = VERBS[verbs];
    if (set === undefined) throw new Internal(`${resource} has unknown verbs ${verbs}`);
    this.group = group === "core" ? "" : group;
    this.version = version;
    this.kind = kind;
    this.listKind = `${kind}List`;
    this.resource = resource;
    this.singular = kind.toLowerCase();
    this.namespaced = scope === "namespaced";
    this.verbs = set;
    this.shortNames = list("short");
    this.categories = list("categories");
    this.subresources = new Set(list("subresources"));
    if (this.subresources.has("scale")) this.scale = SCALE;
    const [storageGroup = "", storageVersion = ""] = (more.get("stored") ?? `${group}/${version}`).split("/");
    this.storageGroup = storageGroup === "core" ? "" : storageGroup;
    this.storageVersion = storageVersion;
    this.#definition = name;
  }

  get conversion(): Conversion | undefined {
    return conversionOf(this);
  }

  get schema(): Schema {
    return definition(this.#definition);
  }

  get columns(): readonly Column[] {
    return columnsOf(this);
  }

  get selectableFields(): readonly string[] {
    return SELECTABLE_FIELDS[this.group === "" ? this.resource : `${this.resource}.${this.group}`] ?? NO_FIELDS;
  }

  get hooks(): KindHooks {
    return hooksOf(this);
  }

  get deprecation(): string | undefined {
    return this.group === "" ? DEPRECATIONS[this.resource] : undefined;
  }
}
