import type { KubeObject, OwnerReference } from "@boxship/api";

export function controllerOf({ metadata: { ownerReferences } }: KubeObject): OwnerReference | undefined {
  return ownerReferences?.find(({ controller }) => controller === true);
}

export function isControlledBy(object: KubeObject, { metadata: { uid } }: KubeObject): boolean {
  return controllerOf(object)?.uid === uid;
}

/** What a controlled object says about who controls it. */
export function controllerReference({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  const { name = "", uid = "" } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
