import { type KubeObject, statusOf } from "@boxship/api";
import { asBoxshipError } from "@boxship/base";
import type { Reply } from "../http/reply.ts";
import { turnsByBytes } from "../http/take-turns.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { commitDelete } from "./delete-object.ts";
import { readPage } from "./list-objects.ts";
import { listOptions } from "./list-options.ts";
import { readDeleteOptions } from "./read-object-body.ts";
import { listReply } from "./render.ts";
import { deleteOptions } from "./write-options.ts";

/** Besides being read, deleting an object costs as much as reading so many bytes. */
const DELETED = 16 * 1024;

/** `DELETE` of a collection: of each object in it that the selectors match, one by one. */
export async function deleteCollection(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = deleteOptions(request.query, await readDeleteOptions(request));
  const { objects, revision } = await readPage(context, request, listOptions(request, false));
  const deleted: CachedObject[] = [];
  const turn = turnsByBytes();
  for (const object of objects) {
    const turned = turn(object.bytes.length + DELETED);
    if (turned !== undefined) await turned;
    const { metadata }: KubeObject = object.parse();
    const single = { ...request, info: { ...request.info, namespace: metadata.namespace ?? "" } };
    try {
      deleted.push((await commitDelete(context, single, metadata.name ?? "", options)).object);
    } catch (error) {
      // Somebody else has done it.
      if (statusOf(asBoxshipError(error))?.reason !== "NotFound") throw error;
    }
  }
  return listReply(request, deleted, { resourceVersion: String(revision) });
}
