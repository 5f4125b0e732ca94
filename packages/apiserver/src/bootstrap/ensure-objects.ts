import { deepCopy, type KubeObject, parseApiVersion, statusOf } from "@boxship/api";
import { BoxshipError } from "@boxship/base";
import type { ServerContext } from "../server-context.ts";
import { commitCreate } from "../verbs/create-object.ts";
import { SYSTEM_WRITE, systemRequest } from "./system-request.ts";

/** Creates those of the objects that are missing, all at once; what is there stays as it is. */
export async function ensureObjects(context: ServerContext, objects: readonly KubeObject[]): Promise<void> {
  await Promise.all(objects.map((object) => ensure(context, deepCopy(object))));
}

async function ensure(context: ServerContext, object: KubeObject): Promise<void> {
  const { group = "", version = "" } = parseApiVersion(object.apiVersion) ?? {};
  const kind = context.kinds.findKind(group, version, object.kind);
  if (kind === undefined) return;
  const { name = "", namespace = "" } = object.metadata;
  if ((await context.objects.get(kind, namespace, name)) !== undefined) return;
  const request = systemRequest(kind, namespace, "");
  try {
    await commitCreate(context, request, object, SYSTEM_WRITE);
  } catch (error) {
    if (!(error instanceof BoxshipError) || statusOf(error)?.reason !== "AlreadyExists") throw error;
  }
}
