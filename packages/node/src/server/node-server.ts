import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { asBoxshipError, type BoxshipError, type Clock, InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import { ContainerState, type Cri } from "@boxship/cri";
import { readLogBlocks } from "@boxship/runtime";
import { engineEvents } from "../agent/engine-events.ts";
import type { Told } from "../metrics/node-metrics.ts";
import { type ObservedContainer, observe } from "../pods/observed.ts";
import type { Pod } from "../types.ts";
import { checkpoint } from "./checkpoint.ts";
import { writeLog } from "./write-log.ts";

export interface NodeServerOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  /** A pod of this node by its key; undefined for any other. */
  readonly pod: (key: string) => Pod | undefined;
  /** Where checkpoints of containers go; made when there is one. */
  readonly checkpoints: string;
  /** What the node tells of itself at a path; undefined for others. */
  readonly tell: (path: string) => Promise<Told | undefined>;
}

const STATUS: Partial<Record<BoxshipError["code"], number>> = {
  NotFound: 404,
  InvalidArgument: 400,
  FailedPrecondition: 400,
  Unsupported: 501,
  Unavailable: 503,
};

/**
 * What the API server asks of a node, at the paths of the kubelet: logs, commands, streams and ports of containers, metrics. Connections
 * come from the API server, which has settled who may.
 */
export class NodeServer implements Disposable {
  readonly #options: NodeServerOptions;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #connections = new Set<Duplex>();

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#server.on("upgrade", (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** Serves on a connection. */
  accept(connection: Duplex): void {
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
    connection.on("error", () => {});
    this.#server.emit("connection", connection);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://node");
      const [what, namespace, name, container] = pathname.split("/").slice(1).map(decodeURIComponent);
      if (request.method === "POST") {
        if (what !== "checkpoint") {
          response.writeHead(405, { allow: "GET" }).end();
          return;
        }
        const { cri, clock, checkpoints: directory } = this.#options;
        const pod = this.#options.pod(`${namespace}/${name}`);
        const asked = { pod, container: container ?? "", timeout: searchParams.getAll("timeout").at(-1) };
        const items = [await checkpoint({ cri, clock, directory }, asked)];
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ items }));
        return;
      }
      if (what !== "containerLogs") {
        const told = await this.#options.tell(pathname);
        if (told === undefined) throw new NotFound(`there is nothing at ${pathname}`);
        response.writeHead(200, { "content-type": told.type }).end(told.text);
        return;
      }
      await this.#logs(this.#pod(namespace, name), container ?? "", searchParams, response);
    } catch (error) {
      const { code, message } = asBoxshipError(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(STATUS[code] ?? 500, { "content-type": "text/plain; charset=utf-8" }).end(message);
    }
  }

  #pod(namespace = "", name = ""): Pod {
    const pod = this.#options.pod(`${namespace}/${name}`);
    if (pod === undefined) throw new NotFound(`pod ${name} is not on this node`);
    return pod;
  }

  async #runs({ metadata: { uid = "" } }: Pod, container: string): Promise<readonly ObservedContainer[]> {
    return (await observe(this.#options.cri, uid)).containers.get(container) ?? [];
  }

  async #logs(pod: Pod, name: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const runs = await this.#runs(pod, name);
    const previous = query.get("previous") === "true";
    const run = previous ? runs.find((_one, at) => at > 0) : runs[0];
    if (run === undefined) {
      const { name: podName } = pod.metadata;
      if (previous) throw new InvalidArgument(`previous terminated container "${name}" in pod "${podName}" not found`);
      const waiting = pod.status?.containerStatuses?.find((one) => one.name === name)?.state.waiting;
      const why = waiting?.reason ?? "ContainerCreating";
      throw new InvalidArgument(`container "${name}" in pod "${podName}" is waiting to start: ${why}`);
    }
    const { status } = run;
    const ending = new AbortController();
    response.once("close", () => ending.abort());
    const follow = query.get("follow") === "true" && status.state === ContainerState.Running;
    const tail = query.get("tailLines");
    const stream = query.get("stream") ?? "All";
    const since = sinceOf(query, this.#options.clock.now());
    const blocks = readLogBlocks({
      path: status.logPath,
      stdout: stream !== "Stderr",
      stderr: stream !== "Stdout",
      ...(since === undefined ? {} : { since }),
      ...(tail === null ? {} : { tail: Number(tail) }),
      ...(follow ? { follow: this.#ended(status.id, ending.signal) } : {}),
      signal: ending.signal,
    });
    response.writeHead(200, { "content-type": "text/plain" });
    response.flushHeaders();
    const limit = query.get("limitBytes");
    const most = limit === null ? Number.POSITIVE_INFINITY : Number(limit);
    await writeLog(blocks, response, { timestamps: query.get("timestamps") === "true", most });
  }

  /** Resolves when a container has ended, or nobody wants to know any more. */
  async #ended(containerId: string, signal: AbortSignal): Promise<void> {
    const { cri, clock } = this.#options;
    const over = new AbortController();
    const events = engineEvents(cri, clock, AbortSignal.any([signal, over.signal]))[Symbol.asyncIterator]();
    // Listened for first, and looked at then: the end cannot fall between.
    let next = events.next();
    try {
      const { status } = await cri.containerStatus({ containerId });
      while (status?.state === ContainerState.Running) {
        const { done, value } = await next;
        if (done === true || (value.containerId === containerId && value.over)) return;
        next = events.next();
      }
    } finally {
      next.catch(() => {});
      over.abort();
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => {});
    try {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://node");
      const [what, namespace, name, _uid, container] = pathname.split("/").slice(1).map(decodeURIComponent);
      const url = await this.#place(what, this.#pod(namespace, name), container ?? "", searchParams);
      relay(request, socket, head, new URL(url));
    } catch (error) {
      const { code, message } = asBoxshipError(error);
      const status = STATUS[code] ?? 500;
      const head1 = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain; charset=utf-8\r\n`;
      socket.end(`${head1}content-length: ${Buffer.byteLength(message)}\r\nconnection: close\r\n\r\n${message}`);
    }
  }

  /** Where the engine serves the streams. */
  async #place(what: string | undefined, pod: Pod, container: string, query: URLSearchParams): Promise<string> {
    const { cri } = this.#options;
    const { uid = "", name } = pod.metadata;
    if (what === "portForward") {
      const [sandbox] = (await observe(cri, uid)).sandboxes;
      if (sandbox === undefined) throw new NotFound(`pod ${name} is not running`);
      return (await cri.portForward({ podSandboxId: sandbox.id })).url;
    }
    const [run] = await this.#runs(pod, container);
    if (run?.status.state !== ContainerState.Running) throw new NotFound(`container not found ("${container}")`);
    const is = (key: string) => ["1", "true"].includes(query.get(key) ?? "");
    const streams = { stdin: is("input"), stdout: is("output"), stderr: is("error") && !is("tty"), tty: is("tty") };
    const containerId = run.status.id;
    if (what === "attach") return (await cri.attach({ containerId, ...streams })).url;
    if (what === "exec") return (await cri.exec({ containerId, cmd: query.getAll("command"), ...streams })).url;
    throw new Unsupported(`${what} is not supported`);
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection.destroy();
  }
}

function sinceOf(query: URLSearchParams, now: number): number | undefined {
  const seconds = query.get("sinceSeconds");
  if (seconds !== null) return now - Number(seconds) * 1000;
  const time = query.get("sinceTime");
  return time === null ? undefined : Date.parse(time);
}

/** What the client asked for goes on to where it is served, and all bytes in both directions after it. */
function relay(request: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void {
  const upstream = connect({ host: url.hostname, port: Number(url.port) });
  upstream.on("error", () => socket.destroy());
  upstream.once("close", () => socket.destroy());
  socket.once("close", () => upstream.destroy());
  const headers: string[] = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    if (request.rawHeaders[at]?.toLowerCase() !== "host")
      headers.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
  }
  upstream.write(
    [`${request.method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, ...headers, "", ""].join("\r\n"),
  );
  upstream.write(head);
  socket.pipe(upstream);
  upstream.pipe(socket);
}
