import { notFound } from "@boxship/api";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { objectReply } from "./render.ts";

/** `GET` of an object: always the newest, which is at least as new as any that the client may ask for. */
export async function getObject({ objects }: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { kind, info, query } = request;
  const wanted = query.get("resourceVersion") ?? "";
  if (/^\d+$/.test(wanted)) await objects.waitFor(Number(wanted));
  const object = await objects.get(kind, info.namespace, info.name);
  if (object === undefined) throw notFound(kind, info.name);
  return objectReply(request, object, 200);
}
