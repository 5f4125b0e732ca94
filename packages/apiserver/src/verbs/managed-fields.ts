import {
  apiVersionOf,
  deepEqual,
  type InVersion,
  isWhole,
  type Kind,
  type KubeObject,
  type ManagerKey,
  timestamp,
  trackChanges,
} from "@boxship/api";
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
export async function trackCreate(
  { clock }: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  options: WriteOptions,
): Promise<void> {
  delete object.metadata.managedFields;
  const { kind } = request;
  const who = managerOf(request, options, "Update");
  await trackChanges(kind, withoutStatus(kind, object), undefined, who, timestamp(clock.now()), {
    pause: request.pause,
  });
}

/** What a client makes of an object: its status is the server's to begin. Shares its metadata. */
function withoutStatus(kind: Kind, object: KubeObject): KubeObject {
  if (!kind.subresources.has("status") || kind.hooks.keepsStatus === true) return object;
  const { status: _, ...rest } = object;
  return rest;
}

const BROKEN =
  ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests";

/** Puts back who manages what where admission has broken it. */
export function keepManagers(
  { warn }: ResourceRequest,
  { metadata }: KubeObject,
  managed: KubeObject["metadata"]["managedFields"],
): void {
  if (metadata.managedFields === managed || isWhole(metadata.managedFields ?? [])) return;
  warn(BROKEN);
  if (managed === undefined) delete metadata.managedFields;
  else metadata.managedFields = managed;
}

/** Notes who has changed which fields. */
export async function trackUpdate(
  context: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  old: KubeObject,
  options: WriteOptions,
): Promise<void> {
  const who = managerOf(request, options, "Update");
  const time = timestamp(context.clock.now());
  await trackChanges(request.kind, object, old, who, time, {
    inVersion: inVersionOf(context, request),
    pause: request.pause,
  });
}

/** How managers of a kind's other versions see its objects. */
export function inVersionOf({ objects }: ServerContext, { kind }: ResourceRequest): InVersion | undefined {
  const { conversion } = kind;
  if (conversion === undefined) return undefined;
  return async (object, apiVersion) => {
    const schema = conversion.schemas.get(apiVersion);
    return schema && { schema, object: await objects.versions.convert(kind, object, apiVersion) };
  };
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
