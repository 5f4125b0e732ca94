import { deepCopy, type JsonObject } from "@boxship/api";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { checkName } from "../verbs/create-object.ts";
import { decodeObject } from "../verbs/decode-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { readObjectBody } from "../verbs/read-object-body.ts";
import { objectReply } from "../verbs/render.ts";
import { writeOptions } from "../verbs/write-options.ts";

/** `PUT` of a namespace's `finalize`: changes `spec.finalizers` and nothing else. */
export async function finalizeNamespace(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = writeOptions(request, "UpdateOptions");
  const { body } = await readObjectBody(request);
  const { fieldValidation } = options;
  const wanted = decodeObject(request.kind, body, { fieldValidation, warn: request.warn });
  checkName(wanted, request.info.name);
  const done = await modifyObject(context, request, options, {
    change(old) {
      const finalizers = (wanted["spec"] as JsonObject | undefined)?.["finalizers"];
      const { resourceVersion } = wanted.metadata;
      const metadata = { ...old.metadata };
      delete metadata.resourceVersion;
      if (resourceVersion !== undefined) metadata.resourceVersion = resourceVersion;
      return { ...old, metadata, spec: finalizers === undefined ? {} : { finalizers: deepCopy(finalizers) } };
    },
    track: () => {},
  });
  return objectReply(request, done, 200);
}
