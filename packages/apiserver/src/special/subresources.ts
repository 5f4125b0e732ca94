import {
  badRequest,
  type Json,
  type Kind,
  type KubeObject,
  methodNotAllowed,
  noSuchRoute,
  notFound,
  notImplemented,
  textAt,
} from "@boxship/api";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { admitOrder } from "../verbs/admit.ts";
import type { Handler } from "../verbs/dispatch.ts";
import { getObject } from "../verbs/get-object.ts";
import { patchObject } from "../verbs/patch-object.ts";
import { updateObject } from "../verbs/update-object.ts";
import { askNode, connectToPod, readLog } from "./connect-to-node.ts";
import { createBinding } from "./create-binding.ts";
import { createEviction } from "./create-eviction.ts";
import { createToken } from "./create-token.ts";
import { finalizeNamespace } from "./finalize-namespace.ts";
import { passOn } from "./proxy/pass-on.ts";
import { proxyTarget } from "./proxy/proxy-target.ts";
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

/** What a node's agent is asked for, and what it is told to do: checkpoints. */
const NODE_VERBS = new Set(["get", "create"]);

/** @throws NotFound, MethodNotAllowed */
export function subresourceHandler(kind: Kind, path: string, verb: string): Handler {
  const [name = "", ...below] = path.split("/");
  if (!kind.subresources.has(name) || below.length > 0) throw noSuchRoute();
  if (kind.resource === "nodes" && name === "proxy" && !NODE_VERBS.has(verb)) throw methodNotAllowed();
  if (ON_A_NODE.has(name)) return onNode(name, verb);
  const handlers = HANDLERS[name];
  if (handlers === undefined)
    return async () => Promise.reject(notImplemented(`${kind.resource}/${name} is not supported here`));
  const handler = handlers[verb];
  if (handler === undefined) throw methodNotAllowed();
  return handler;
}

/** What a connection is to be, as admission sees it: an object of its options. A log is read, not connected to. */
async function admitConnection(context: ServerContext, request: ResourceRequest, what: string): Promise<void> {
  const word = CONNECTIONS[what];
  if (word === undefined) return;
  const { kind, info, query } = request;
  const name = `${kind.kind}${word}Options`;
  // Of a proxy it is the path alone: the query is for whoever is behind.
  const options = what === "proxy" ? new URLSearchParams({ path: info.path ?? "" }) : query;
  const entries = [...new Set(options.keys())].map((field) => [field, optionOf(options.getAll(field), field)] as const);
  const object = { apiVersion: "v1", kind: name, metadata: {}, ...Object.fromEntries(entries) } as KubeObject;
  const objectKind = { group: "", version: "v1", kind: name, definition: "meta.v1.ObjectMeta" };
  await admitOrder(context, request, { name: info.name, object, objectKind, dryRun: false }, "CONNECT");
}

const CONNECTIONS: Readonly<Record<string, string>> = {
  attach: "Attach",
  exec: "Exec",
  portforward: "PortForward",
  proxy: "Proxy",
};

function optionOf(values: readonly string[], field: string): Json {
  if (field === "command") return [...values];
  if (field === "ports") return values.map(Number);
  const [value = ""] = values;
  return value === "true" || value === "false" ? value === "true" : value;
}

/** What a node answers, and for anything else why there is nothing to connect to. */
function onNode(what: string, verb: string): Handler {
  return async (context, request) => {
    const { objects, nodes } = context;
    const { kind, info } = request;
    if (what === "proxy" && kind.resource !== "nodes") {
      await admitConnection(context, request, what);
      return passOn(await proxyTarget(context, request), info);
    }
    const object = (await objects.get(kind, info.namespace, info.name))?.parse();
    if (object === undefined) throw notFound(kind, info.name);
    await admitConnection(context, request, what);
    if (kind.resource === "pods" && textAt(object, "spec", "nodeName") === "") {
      throw badRequest(`pod ${info.name} does not have a host assigned`);
    }
    if (kind.resource === "nodes" && what === "proxy" && nodes !== undefined)
      return await askNode(context, request, verb);
    if (kind.resource !== "pods" || nodes === undefined) {
      throw notImplemented(`${kind.resource}/${what} is not supported here`);
    }
    if (what === "log") return await readLog(context, request, object);
    return await connectToPod(context, request, object, what as "exec");
  };
}
