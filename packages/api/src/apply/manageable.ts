import type { JsonObject } from "../object/json.ts";
import type { KubeObject, ObjectMeta } from "../object/kube-object.ts";

/** Metadata that nobody manages. */
const SERVERS_OWN = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "name",
  "namespace",
  "resourceVersion",
  "selfLink",
  "uid",
] as const;

/** What an object has that somebody can manage. */
export function manageable(object: KubeObject): JsonObject {
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  const own: ObjectMeta = { ...metadata };
  for (const field of SERVERS_OWN) delete own[field];
  return Object.keys(own).length === 0 ? rest : { metadata: own, ...rest };
}
