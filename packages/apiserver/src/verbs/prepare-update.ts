import type { JsonObject, KubeObject } from "@boxship/api";
import type { ResourceRequest } from "../server-context.ts";

/** Writers of their status may change their metadata along with it. */
const METADATA_WITH_STATUS = new Set([
  "/namespaces",
  "/nodes",
  "/persistentvolumeclaims",
  "/persistentvolumes",
  "/pods",
  "/services",
  "apps/deployments",
]);

/** Puts back what this update cannot change: metadata of the server's, and what belongs to another subresource. */
export function prepareUpdate({ kind, info }: ResourceRequest, object: KubeObject, old: KubeObject): void {
  if (info.subresource === "status")
    keepAllBut(object, old, "status", METADATA_WITH_STATUS.has(`${kind.group}/${kind.resource}`));
  else if (info.subresource === "" && kind.subresources.has("status")) setOrDelete(object, "status", old["status"]);
  keepMetadata(object, old);
  kind.hooks.prepareUpdate?.(object, old, info.subresource);
}

function keepAllBut(object: KubeObject, old: KubeObject, field: string, metadata: boolean): void {
  for (const name of Object.keys(object)) if (name !== field && name !== "metadata") delete object[name];
  for (const [name, value] of Object.entries(old)) {
    if (name !== field && name !== "metadata") setOrDelete(object, name, value);
  }
  if (metadata) return;
  const { managedFields } = object.metadata;
  object.metadata = { ...old.metadata, ...(managedFields === undefined ? {} : { managedFields }) };
}

const SERVERS_OWN = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "namespace",
  "name",
] as const;

function keepMetadata({ metadata }: KubeObject, old: KubeObject): void {
  for (const field of SERVERS_OWN) setOrDelete(metadata, field, old.metadata[field]);
  if (metadata.generateName === undefined && old.metadata.generateName !== undefined) {
    metadata.generateName = old.metadata.generateName;
  }
  delete metadata["selfLink"];
}

function setOrDelete(object: JsonObject, field: string, value: JsonObject[string]): void {
  if (value === undefined) delete object[field];
  else object[field] = value;
}
