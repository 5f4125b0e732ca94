import { BuildFailure } from "../failure.ts";
import { mergeData } from "../generate/generate-data.ts";
import { idKey, idText, type ResId } from "./res-id.ts";
import type { Resource } from "./resource.ts";
import type { ResourceMap } from "./resource-map.ts";

/** Adds what a generator has made, or merges it into what is there, as it says. @throws BuildFailure */
export function absorbOne(map: ResourceMap, resource: Resource): void {
  const { id, behavior } = resource;
  const key = idKey(id);
  const found = map.withAnyId((one) => idKey(one) === key);
  const [old] = found;
  const replaces = behavior === "merge" || behavior === "replace";
  if (found.length > 1) {
    throw new BuildFailure(`found multiple objects that could accept merge of ${idText(id)}`);
  }
  if (old === undefined) {
    if (replaces) throw new BuildFailure(`id ${structText(id)} does not exist; cannot merge or replace`);
    map.append([resource]);
    return;
  }
  if (!replaces) {
    throw new BuildFailure(
      `id ${structText(id)} exists; can not use behavior: '${behavior}', behavior must be merge or replace`,
    );
  }
  const origin = old.annotations.get("config.kubernetes.io/origin");
  resource.labels = new Map([...old.labels, ...resource.labels]);
  resource.annotations = new Map([...old.annotations, ...resource.annotations]);
  resource.needsHash = resource.needsHash && old.needsHash;
  resource.behavior = old.behavior;
  resource.name = old.name;
  resource.namespace = old.namespace;
  resource.remember(old);
  if (behavior === "merge") {
    mergeData(resource, old);
    if (origin !== undefined) resource.setAnnotation("config.kubernetes.io/origin", origin);
  }
  map.resources[map.resources.indexOf(old)] = resource;
}

/** A name as the original's failures have it. */
function structText({ gvk, name, namespace, clusterScoped }: ResId): string {
  const quote = (text: string): string => JSON.stringify(text);
  return `resid.ResId{Gvk:resid.Gvk{Group:${quote(gvk.group)}, Version:${quote(gvk.version)}, Kind:${quote(gvk.kind)}, isClusterScoped:${clusterScoped}}, Name:${quote(name)}, Namespace:${quote(namespace)}}`;
}
