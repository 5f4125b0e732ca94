import { badRequest, type Kind, methodNotAllowed, noSuchRoute, notFound, notImplemented, textAt } from "@boxship/api";
import type { Handler } from "../verbs/dispatch.ts";
import { getObject } from "../verbs/get-object.ts";
import { patchObject } from "../verbs/patch-object.ts";
import { updateObject } from "../verbs/update-object.ts";
import { createBinding } from "./create-binding.ts";
import { createEviction } from "./create-eviction.ts";
import { createToken } from "./create-token.ts";
import { finalizeNamespace } from "./finalize-namespace.ts";
import { getScale, patchScale, updateScale } from "./scale.ts";

type Handlers = Readonly<Record<string, Handler>>;

/** Parts of the object itself. */
const PART: Handlers = { get: getObject, update: updateObject, patch: patchObject };

const HANDLERS: Readonly<Record<string, Handlers>> = {
  approval: PART,
  binding: { create: createBinding },
  ephemeralcontainers: PART,
  eviction: { create: createEviction },
  finalize: { update: finalizeNamespace },
  resize: PART,
  scale: { get: getScale, update: updateScale, patch: patchScale },
  status: PART,
  token: { create: createToken },
};

/** What needs a node. */
const ON_A_NODE = new Set(["attach", "exec", "log", "portforward", "proxy"]);

/** @throws NotFound, MethodNotAllowed */
export function subresourceHandler(kind: Kind, path: string, verb: string): Handler {
  const [name = "", ...below] = path.split("/");
  if (!kind.subresources.has(name) || (below.length > 0 && name !== "proxy")) throw noSuchRoute();
  if (ON_A_NODE.has(name)) return onNode(name);
  const handlers = HANDLERS[name];
  if (handlers === undefined)
    return async () => Promise.reject(notImplemented(`${kind.resource}/${name} is not supported here`));
  const handler = handlers[verb];
  if (handler === undefined) throw methodNotAllowed();
  return handler;
}

/** Says why there is nothing to connect to. */
function onNode(what: string): Handler {
  return async ({ objects }, { kind, info }) => {
    const object = (await objects.get(kind, info.namespace, info.name))?.parse();
    if (object === undefined) throw notFound(kind, info.name);
    if (kind.resource === "pods" && textAt(object, "spec", "nodeName") === "") {
      throw badRequest(`pod ${info.name} does not have a host assigned`);
    }
    throw notImplemented(`${kind.resource}/${what} is not supported here: no node answers yet`);
  };
}
