import { deepCopy } from "@boxship/api";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { checkName } from "./create-object.ts";
import { decodeObject } from "./decode-object.ts";
import { trackUpdate } from "./managed-fields.ts";
import { modifyObject } from "./modify-object.ts";
import { readObjectBody } from "./read-object-body.ts";
import { objectReply } from "./render.ts";
import { writeOptions } from "./write-options.ts";

/** `PUT` to an object or to one of its subresources that are a part of it. */
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
  const updated = await modifyObject(context, request, options, {
    replaces: true,
    change: () => deepCopy(object),
    track: (now, old) => trackUpdate(context, request, now, old, options),
  });
  return objectReply(request, updated, 200);
}
