import { once } from "node:events";
import { type IncomingMessage, request as sendRequest } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { badRequest, failure, type KubeObject, listAt, methodNotAllowed, textAt } from "@boxship/api";
import { authorize } from "../access/authorize.ts";
import { errorReply, type StreamReply } from "../http/reply.ts";
import { type Outgoing, sendReply } from "../http/send-reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";

/** Parameters of a log, as clients and nodes name them alike. */
const LOG_QUERY = [
  "follow",
  "previous",
  "sinceSeconds",
  "sinceTime",
  "timestamps",
  "tailLines",
  "limitBytes",
  "stream",
] as const;

/** Streams of commands, as clients name them and as nodes do. */
const STREAMS = [
  ["stdin", "input"],
  ["stdout", "output"],
  ["stderr", "error"],
  ["tty", "tty"],
] as const;

/** The container that is meant: the one that is named, or the only one. @throws BadRequest */
function containerOf(pod: KubeObject, query: URLSearchParams): string {
  const namesOf = (field: string) => listAt(pod, "spec", field).map((one) => textAt(one, "name"));
  const names = namesOf("containers");
  const all = [...names, ...namesOf("initContainers"), ...namesOf("ephemeralContainers")];
  const { name } = pod.metadata;
  const asked = query.get("container") ?? "";
  if (asked !== "") {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  if (all.length === 1 && all[0] !== undefined) return all[0];
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(" ")}]`);
}

/** What a container has printed, from its node. */
export async function readLog(
  context: ServerContext,
  { info, query }: ResourceRequest,
  pod: KubeObject,
): Promise<StreamReply> {
  const { namespace, name } = info;
  const path = ["containerLogs", namespace, name, containerOf(pod, query)].map(encodeURIComponent).join("/");
  const passed = new URLSearchParams(LOG_QUERY.flatMap((key) => (query.has(key) ? [[key, query.get(key) ?? ""]] : [])));
  for (const key of ["tailLines", "limitBytes", "sinceSeconds"]) {
    const value = passed.get(key);
    if (value !== null && !/^\d+$/.test(value)) throw badRequest(`${key} must be greater than or equal to 0`);
  }
  const answer = await ask(await connectTo(context, pod), `/${path}?${String(passed)}`);
  if (answer.statusCode !== 200) throw await refusalOf(answer);
  return {
    async stream(response) {
      response.once("close", () => answer.destroy());
      response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
      response.flushHeaders?.();
      // Who goes away in the middle has seen what he wanted.
      await pipeline(answer, response).catch(() => response.destroy());
    },
  };
}

function ask(connection: Duplex, path: string, method = "GET"): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = sendRequest({ createConnection: () => connection, method, path, headers: { host: "node" } });
    sent.once("response", resolve);
    sent.once("error", reject);
    sent.end();
  });
}

async function refusalOf(answer: IncomingMessage): Promise<Error> {
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  const { statusCode = 500 } = answer;
  if (statusCode === 404) return failure("NotFound", text);
  if (statusCode === 405) return methodNotAllowed();
  return statusCode === 400 ? badRequest(text) : failure("InternalError", text);
}

/** What a node's agent tells of itself, or does, at a path of its own. Nothing of who asks goes on to it, nor a body. @throws MethodNotAllowed */
export async function askNode(
  context: ServerContext,
  { info, query }: ResourceRequest,
  verb: string,
): Promise<StreamReply> {
  const { name, path } = info;
  const method = verb === "create" ? "POST" : "GET";
  const answer = await ask(await connectToNode(context, name), `${encodeURI(path || "/")}?${String(query)}`, method);
  if (answer.statusCode !== 200) throw await refusalOf(answer);
  const type = answer.headers["content-type"] ?? "text/plain";
  return {
    async stream(response) {
      response.once("close", () => answer.destroy());
      response.writeHead(200, { "content-type": type, "cache-control": "no-cache, private" });
      await pipeline(answer, response).catch(() => response.destroy());
    },
  };
}

function connectTo(context: ServerContext, pod: KubeObject): Promise<Duplex> {
  return connectToNode(context, textAt(pod, "spec", "nodeName"));
}

async function connectToNode({ nodes }: ServerContext, node: string): Promise<Duplex> {
  const connection = await nodes?.connect(node);
  if (connection !== undefined) return connection;
  throw failure("ServiceUnavailable", `node ${node} does not answer: its agent is not connected`);
}

/** A command, a container's own streams, or ports of a pod: what follows the upgrade is between client and node. */
export async function connectToPod(
  context: ServerContext,
  request: ResourceRequest,
  pod: KubeObject,
  what: "attach" | "exec" | "portforward",
): Promise<StreamReply> {
  const { info, query, user } = request;
  const { uid = "" } = pod.metadata;
  // A WebSocket begins with a GET, and is no reading all the same.
  await authorize(context.authorizers, { verb: "create", path: "", resource: info, user });
  const at = [info.namespace, info.name, uid, ...(what === "portforward" ? [] : [containerOf(pod, query)])];
  const word = what === "portforward" ? "portForward" : what;
  const passed = new URLSearchParams(query.getAll("command").map((one) => ["command", one]));
  for (const [theirs, ours] of STREAMS) if (isTrue(query.get(theirs))) passed.set(ours, "1");
  const path = `/${[word, ...at].map(encodeURIComponent).join("/")}?${String(passed)}`;
  return { stream: (response) => upgrade(response, () => connectTo(context, pod), path) };
}

const isTrue = (value: string | null): boolean => value === "true" || value === "1";

async function upgrade(response: Outgoing, connect: () => Promise<Duplex>, path: string): Promise<void> {
  const request = response.req as IncomingMessage | undefined;
  const { socket } = response;
  if (request?.headers.upgrade === undefined || request.httpVersionMajor !== 1 || socket === null) {
    await sendReply(response, errorReply(badRequest("Upgrade request required")), PLAIN);
    return;
  }
  let node: Duplex;
  try {
    node = await connect();
  } catch (error) {
    await sendReply(response, errorReply(error), PLAIN);
    return;
  }
  response.detachSocket(socket);
  const lines = [`${request.method} ${path} HTTP/1.1`, "host: node"];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(at, at + 2);
    if (PASSED.test(name)) lines.push(`${name}: ${value}`);
  }
  node.write(`${lines.join("\r\n")}\r\n\r\n`);
  node.on("error", () => socket.destroy());
  node.once("close", () => socket.destroy());
  socket.on("error", () => node.destroy());
  socket.once("close", () => node.destroy());
  socket.pipe(node);
  node.pipe(socket);
  await once(socket, "close").catch(() => {});
}

/** Nothing of who asks goes on to the node. */
const PASSED = /^(?:upgrade|connection|content-length|sec-websocket-.*|x-stream-protocol-version)$/i;

const PLAIN = { head: false, gzip: false, encoding: "json", warnings: [], headers: {} } as const;
