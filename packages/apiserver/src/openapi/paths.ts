import type { JsonObject, Kind, Verb } from "@boxship/api";
import { subresourcesOf } from "../discovery/subresources.ts";

/** The paths of a kind with their verbs and parameters. @param level 2 or 3: of OpenAPI */
export function pathsOf(kind: Kind, schema: JsonObject, level: 2 | 3): JsonObject {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced ? "/namespaces/{namespace}" : "";
  const collection = `${root}${scope}/${kind.resource}`;
  const writer = new Operations(kind, schema, level);
  const paths: JsonObject = {
    [collection]: writer.item(["list", "create", "deletecollection"], kind.namespaced ? ["namespace"] : []),
    [`${collection}/{name}`]: writer.item(
      ["get", "update", "patch", "delete"],
      kind.namespaced ? ["name", "namespace"] : ["name"],
    ),
  };
  if (kind.namespaced) paths[`${root}/${kind.resource}`] = writer.item(["list"], []);
  for (const { name, verbs } of subresourcesOf(kind)) {
    const known = verbs.filter((verb): verb is Verb => verb in METHODS);
    paths[`${collection}/{name}/${name}`] = writer.item(
      known,
      kind.namespaced ? ["name", "namespace"] : ["name"],
      new Set(known),
    );
  }
  for (const [path, item] of Object.entries(paths)) {
    if (Object.keys(item as JsonObject).length < 2) delete paths[path];
  }
  return paths;
}

const METHODS: Readonly<Partial<Record<Verb, readonly [method: string, action: string]>>> = {
  create: ["post", "post"],
  delete: ["delete", "delete"],
  deletecollection: ["delete", "deletecollection"],
  get: ["get", "get"],
  list: ["get", "list"],
  patch: ["patch", "patch"],
  update: ["put", "put"],
};

const PARAMETERS: Readonly<Partial<Record<Verb, readonly string[]>>> = {
  create: ["dryRun", "fieldManager", "fieldValidation"],
  delete: ["dryRun", "gracePeriodSeconds", "propagationPolicy"],
  deletecollection: ["dryRun", "fieldSelector", "labelSelector", "gracePeriodSeconds", "propagationPolicy"],
  list: [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
  ],
  patch: ["dryRun", "fieldManager", "fieldValidation", "force"],
  update: ["dryRun", "fieldManager", "fieldValidation"],
};

const TYPES: Readonly<Record<string, string>> = {
  allowWatchBookmarks: "boolean",
  force: "boolean",
  gracePeriodSeconds: "integer",
  limit: "integer",
  sendInitialEvents: "boolean",
  timeoutSeconds: "integer",
  watch: "boolean",
};

const PATCHES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

class Operations {
  readonly #kind: Kind;
  readonly #schema: JsonObject;
  readonly #level: 2 | 3;

  constructor(kind: Kind, schema: JsonObject, level: 2 | 3) {
    this.#kind = kind;
    this.#schema = schema;
    this.#level = level;
  }

  item(verbs: readonly Verb[], inPath: readonly string[], served: ReadonlySet<Verb> = this.#kind.verbs): JsonObject {
    const item: JsonObject = {
      parameters: inPath.map((name) => ({ ...this.#parameter(name, "path"), required: true })),
    };
    for (const verb of verbs) {
      const [method, action] = METHODS[verb] ?? [];
      if (method !== undefined && action !== undefined && served.has(verb))
        item[method] = this.#operation(verb, action);
    }
    return item;
  }

  #operation(verb: Verb, action: string): JsonObject {
    const { group, version, kind } = this.#kind;
    const parameters = (PARAMETERS[verb] ?? []).map((name) => this.#parameter(name, "query"));
    const isV2 = this.#level === 2;
    const body = verb === "create" || verb === "update" || verb === "patch";
    const types = verb === "patch" ? PATCHES : ["application/json", "application/yaml"];
    const content = Object.fromEntries(types.map((type) => [type, { schema: verb === "patch" ? {} : this.#schema }]));
    return {
      parameters: [
        ...parameters,
        ...(isV2 && body
          ? [{ name: "body", in: "body", required: true, schema: verb === "patch" ? {} : this.#schema }]
          : []),
      ],
      ...(body && !isV2 ? { requestBody: { content, required: true } } : {}),
      ...(isV2
        ? { consumes: verb === "patch" ? PATCHES : ["*/*"], produces: ["application/json", "application/yaml"] }
        : {}),
      responses: { "200": { description: "OK" }, "401": { description: "Unauthorized" } },
      "x-kubernetes-action": action,
      "x-kubernetes-group-version-kind": { group, kind, version },
    };
  }

  #parameter(name: string, place: string): JsonObject {
    const type = TYPES[name] ?? "string";
    return this.#level === 2
      ? { name, in: place, type, uniqueItems: true }
      : { name, in: place, schema: { type, uniqueItems: true } };
  }
}
