import { join } from "node:path";
import { readRepository } from "../remote/repository.ts";
import { emitYaml } from "../yaml/emit.ts";
import { Node } from "../yaml/node.ts";
import { parseYaml } from "../yaml/parse.ts";
import type { Resource } from "./resource.ts";
import type { ResourceMap } from "./resource-map.ts";

/** Where an object comes from, or what changed it. */
export interface Origin {
  readonly path?: string;
  readonly repo?: string;
  readonly ref?: string;
  readonly configuredIn?: string;
  readonly configuredBy?: {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly name?: string;
    readonly namespace?: string;
  };
}

const ORIGIN = "config.kubernetes.io/origin";
const TRANSFORMATIONS = "alpha.config.kubernetes.io/transformations";

/** One step further: into a directory, a file, or another repository. */
export function appendPath(origin: Origin, path: string): Origin {
  const repository = readRepository(path);
  if (repository === undefined) return { ...origin, path: join(origin.path ?? "", path) };
  const { remote, reference, directory } = repository;
  return { ...origin, repo: remote, ref: reference, path: directory };
}

/** What one of kustomize's own transformers, or generators, is said to be. */
export function builtinOrigin({ repo, ref, path = "" }: Origin, file: string, kind: string): Origin {
  return {
    ...(repo === undefined ? {} : { repo }),
    ...(ref === undefined ? {} : { ref }),
    configuredIn: join(path, file),
    configuredBy: { apiVersion: "builtin", kind },
  };
}

export function setOrigin(resource: Resource, origin: Origin | undefined): void {
  resource.setAnnotation(ORIGIN, origin && emitYaml(originNode(origin)));
}

export function originOf(resource: Resource): Origin | undefined {
  const text = resource.annotations.get(ORIGIN);
  const node = text === undefined ? undefined : parseYaml(text);
  if (node === undefined) return undefined;
  const fields = ["path", "repo", "ref", "configuredIn"] as const;
  return Object.fromEntries(fields.map((field) => [field, node.textAt(field)]).filter(([, value]) => value !== ""));
}

/** What an object that configures a transformer or generator is said to be. */
export function pluginOrigin(resource: Resource): Origin | undefined {
  const origin = originOf(resource);
  if (origin === undefined) return undefined;
  const { apiVersion, kind, name, namespace } = resource;
  return {
    ...(origin.repo === undefined ? {} : { repo: origin.repo }),
    ...(origin.ref === undefined ? {} : { ref: origin.ref }),
    ...(origin.path === undefined ? {} : { configuredIn: origin.path }),
    configuredBy: { apiVersion, kind, name, namespace },
  };
}

/** Says of all objects that a transformer changed them; of those without an origin, that it made them. */
export function addTransformation({ resources }: ResourceMap, origin: Origin): void {
  const added = originNode(origin);
  for (const resource of resources) {
    const { annotations } = resource;
    if (!annotations.has(ORIGIN)) {
      setOrigin(resource, origin);
      continue;
    }
    const known = annotations.get(TRANSFORMATIONS);
    const list = (known === undefined ? undefined : parseYaml(known)) ?? Node.sequence();
    list.items.push(added.copy());
    resource.setAnnotation(TRANSFORMATIONS, emitYaml(list));
  }
}

export const clearTransformations = (resource: Resource): void => resource.setAnnotation(TRANSFORMATIONS, undefined);

function originNode({ path, repo, ref, configuredIn, configuredBy }: Origin): Node {
  const texts = (fields: Readonly<Record<string, string | undefined>>): Node =>
    Node.mapping(
      Object.entries(fields)
        .filter(([, value]) => value !== undefined && value !== "")
        .map(([field, value]) => [field, Node.text(value ?? "")]),
    );
  const node = texts({ path, repo, ref, configuredIn });
  if (configuredBy !== undefined) {
    const { apiVersion, kind, name, namespace } = configuredBy;
    node.set("configuredBy", texts({ apiVersion, kind, name, namespace }));
  }
  return node;
}
