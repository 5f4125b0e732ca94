import { methodNotAllowed, noSuchRoute, type Verb } from "@boxship/api";
import type { RequestInfo, ResourceInfo } from "../contract.ts";
import { negotiate, type Offer } from "../http/accept.ts";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { specialResource } from "../special/special-resources.ts";
import { subresourceHandler } from "../special/subresources.ts";
import { createObject } from "./create-object.ts";
import { deleteCollection } from "./delete-collection.ts";
import { deleteObject } from "./delete-object.ts";
import { getObject } from "./get-object.ts";
import { listObjects } from "./list-objects.ts";
import { patchObject } from "./patch-object.ts";
import { updateObject } from "./update-object.ts";
import { watchObjects } from "./watch-objects.ts";

/** Answers a request for a resource. */
export type Handler = (context: ServerContext, request: ResourceRequest) => Reply | Promise<Reply>;

const OBJECTS_AS_PROTOBUF: Offer = { protobuf: "objects" };
const METADATA_AS_PROTOBUF: Offer = { protobuf: "metadata" };

const HANDLERS: Readonly<Record<Verb, Handler>> = {
  create: createObject,
  delete: deleteObject,
  deletecollection: deleteCollection,
  get: getObject,
  list: listObjects,
  patch: patchObject,
  update: updateObject,
  watch: watchObjects,
};

/** What is known of a request before its kind is. */
export type UnsortedRequest = Omit<ResourceRequest, "kind" | "info" | "accept"> & {
  readonly acceptHeader: string | undefined;
};

/** @throws NotFound for what is not served, MethodNotAllowed */
export function dispatchResource(
  context: ServerContext,
  { verb }: RequestInfo,
  info: ResourceInfo,
  asked: UnsortedRequest,
): Reply | Promise<Reply> {
  const kind = context.kinds.find(info.group, info.version, info.resource);
  if (kind === undefined) throw noSuchRoute();
  if (!kind.namespaced && info.namespace !== "" && info.resource !== "namespaces") throw noSuchRoute();
  if (kind.deprecation !== undefined) asked.warn(kind.deprecation);
  // What a client accepts of a proxy is for whoever is behind it.
  const acceptHeader = info.subresource === "proxy" ? undefined : asked.acceptHeader;
  const accept = negotiate(acceptHeader, kind.custom ? METADATA_AS_PROTOBUF : OBJECTS_AS_PROTOBUF);
  const { user, query, contentType, userAgent, body, received, pause, warn, annotate } = asked;
  const request: ResourceRequest = {
    user,
    query,
    contentType,
    userAgent,
    body,
    received,
    pause,
    warn,
    annotate,
    kind,
    info,
    accept,
  };
  if (info.subresource !== "") {
    const handler = subresourceHandler(kind, info.subresource, verb);
    return handler(context, request);
  }
  const special = specialResource(kind);
  if (special !== undefined) {
    if (verb !== "create") throw methodNotAllowed();
    return special(context, request);
  }
  if (!kind.verbs.has(verb as Verb)) throw methodNotAllowed();
  if (kind.namespaced && info.namespace === "" && verb !== "list" && verb !== "watch") throw methodNotAllowed();
  // A name where a collection is made, or the other way round.
  if ((verb === "create") !== (info.name === "") && (verb === "create" || verb === "update")) throw methodNotAllowed();
  return HANDLERS[verb as Verb](context, request);
}
