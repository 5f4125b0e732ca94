import { apiVersionOf, deepEqual, type KubeObject, type ManagerKey, timestamp, trackChanges } from "@boxship/api";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import type { WriteOptions } from "./write-options.ts";

/** Whom a write is noted for. */
export function managerOf(
  { kind, info }: ResourceRequest,
  { fieldManager: name }: WriteOptions,
  operation: ManagerKey["operation"],
): ManagerKey {
  return { name, operation, apiVersion: apiVersionOf(kind), subresource: info.subresource };
}

/** Notes who has set the fields of a new object. */
export function trackCreate(
  { clock }: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  options: WriteOptions,
): void {
  delete object.metadata.managedFields;
  trackChanges(request.kind, object, undefined, managerOf(request, options, "Update"), timestamp(clock.now()));
}

/** Notes who has changed which fields. */
export function trackUpdate(
  { clock }: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  old: KubeObject,
  options: WriteOptions,
): void {
  trackChanges(request.kind, object, old, managerOf(request, options, "Update"), timestamp(clock.now()));
}

/** Whether two objects differ in nothing but when who set what. */
export function sameButTimes(object: KubeObject, old: KubeObject): boolean {
  return deepEqual(timeless(object), timeless(old));
}

function timeless({ metadata, ...rest }: KubeObject): KubeObject {
  const copy = { ...metadata };
  delete copy.resourceVersion;
  if (copy.managedFields !== undefined) {
    copy.managedFields = copy.managedFields.map((entry) => {
      const untimed = { ...entry };
      delete untimed.time;
      return untimed;
    });
  }
  return { ...rest, metadata: copy };
}
