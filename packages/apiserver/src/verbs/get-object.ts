import { notFound } from "@boxship/api";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { objectReply } from "./render.ts";

/** `GET` of an object: always the newest, which is at least as new as any that the client may ask for. */
export function getObject({ objects }: ServerContext, request: ResourceRequest): Reply | Promise<Reply> {
  const { kind, info, query } = request;
  const reply = (object: CachedObject | undefined): Reply => {
    if (object === undefined) throw notFound(kind, info.name);
    return objectReply(request, object, 200);
  };
  const read = () => objects.get(kind, info.namespace, info.name);
  const wanted = query.get("resourceVersion") ?? "";
  if (/^\d+$/.test(wanted)) return objects.waitFor(Number(wanted)).then(read).then(reply);
  const found = read();
  return found instanceof Promise ? found.then(reply) : reply(found);
}
