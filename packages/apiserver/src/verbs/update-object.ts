import { deepCopy, invalidObject, isMadeByUpdate, type KubeObject, statusOf, unversioned } from "@boxship/api";
import { asBoxshipError } from "@boxship/base";
import { authorize } from "../access/authorize.ts";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { checkName, commitCreate } from "./create-object.ts";
import { decodeObject } from "./decode-object.ts";
import { trackUpdate } from "./managed-fields.ts";
import { modifyObject } from "./modify-object.ts";
import { readObjectBody } from "./read-object-body.ts";
import { objectReply } from "./render.ts";
import { type WriteOptions, writeOptions } from "./write-options.ts";

/** `PUT` to an object or to one of its subresources that are a part of it. Some kinds are made where they are not there. */
export async function updateObject(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = writeOptions(request, "UpdateOptions");
  const { body, duplicates } = await readObjectBody(request);
  await request.pause?.();
  const object = decodeObject(request.kind, body, {
    fieldValidation: options.fieldValidation,
    duplicates,
    warn: request.warn,
  });
  checkName(object, request.info.name);
  await request.pause?.();
  const makes = isMadeByUpdate(request.kind) && request.info.subresource === "";
  for (;;) {
    try {
      const updated = await modifyObject(context, request, options, {
        replaces: true,
        change: () => deepCopy(versioned(request, object)),
        track: (now, old) => trackUpdate(context, request, now, old, options),
      });
      return objectReply(request, updated, 200);
    } catch (error) {
      if (!makes || !isReason(error, "NotFound")) throw error;
    }
    try {
      return await make(context, request, deepCopy(object), options);
    } catch (error) {
      if (!isReason(error, "AlreadyExists")) throw error;
    }
  }
}

const isReason = (error: unknown, reason: string): boolean => statusOf(asBoxshipError(error))?.reason === reason;

/** @throws Invalid for a version that is missing */
function versioned({ kind, info }: ResourceRequest, object: KubeObject): KubeObject {
  const problem = object.metadata.resourceVersion ? undefined : unversioned(kind);
  if (problem !== undefined) throw invalidObject(kind, info.name, [problem]);
  return object;
}

async function make(
  context: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  options: WriteOptions,
): Promise<Reply> {
  await authorize(context.authorizers, {
    verb: "create",
    path: "",
    resource: request.info,
    user: request.user,
  });
  delete object.metadata.resourceVersion;
  const collection = { ...request, info: { ...request.info, name: "" } };
  return objectReply(request, await commitCreate(context, collection, object, options), 201);
}
