import { type Gvk, gvkText, sameGvk } from "./gvk.ts";

const NO_NAMESPACE = "_non_namespaceable_";

/** What one resource is called, now or earlier. */
export interface ResId {
  readonly gvk: Gvk;
  readonly name: string;
  readonly namespace: string;
  /** Known to be outside of namespaces. Names of earlier steps do not know it: their namespace says it. */
  readonly clusterScoped: boolean;
}

export function effectiveNamespace({ clusterScoped, namespace }: ResId): string {
  if (clusterScoped) return NO_NAMESPACE;
  return namespace === "" ? "default" : namespace;
}

export const sameNamespace = (a: ResId, b: ResId): boolean => effectiveNamespace(a) === effectiveNamespace(b);

export function sameId(a: ResId, b: ResId): boolean {
  return a.name === b.name && sameGvk(a.gvk, b.gvk) && sameNamespace(a, b);
}

/** Equal for {@link sameId}s. */
export function idKey(id: ResId): string {
  const { group, version, kind } = id.gvk;
  return `${group}\n${version}\n${kind}\n${effectiveNamespace(id)}\n${id.name}`;
}

/** `Deployment.v1.apps/web.shop`, as messages have it. */
export function idText({ gvk, name, namespace }: ResId): string {
  return `${gvkText(gvk)}/${name || "[noName]"}.${namespace || "[noNs]"}`;
}
