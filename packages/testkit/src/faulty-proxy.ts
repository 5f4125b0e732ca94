import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { TestRegistry } from "./registry.ts";

/** What goes wrong with one answer. */
export type Fault =
  /** Another answer than the registry's. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection is reset after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** The body ends early but cleanly, its length not announced. */
  | { readonly kind: "truncate"; readonly after: number }
  /** Nothing more arrives after so many bytes, and the connection stays. */
  | { readonly kind: "stall"; readonly after: number }
  /** The byte at this offset of the body is another. */
  | { readonly kind: "corrupt"; readonly at: number }
  /** The body is longer by so many bytes and says so, or shorter if negative. */
  | { readonly kind: "resize"; readonly by: number }
  /** Each piece of the body comes so many milliseconds late. */
  | { readonly kind: "slow"; readonly milliseconds: number }
  /** The whole body is sent although a part was asked for. */
  | { readonly kind: "ignore-range" };

export interface ProxiedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** How many requests with this method and path there were before. */
  readonly earlier: number;
}

/** Chooses the fault of a request; undefined lets it pass. */
export type FaultPlan = (request: ProxiedRequest) => Fault | undefined;

/** A proxy before a real registry that damages what it is told to damage. */
export interface FaultyProxy extends AsyncDisposable {
  /** `127.0.0.1:port`, as in image references. */
  readonly host: string;
  readonly port: number;
  /** Everything that was asked so far. */
  readonly requests: readonly ProxiedRequest[];
  /** Replaces the plan. */
  plan: FaultPlan;
}

export async function faultyProxy(registry: Pick<TestRegistry, "host">, plan: FaultPlan): Promise<FaultyProxy> {
  const requests: ProxiedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = http.createServer((incoming, outgoing) => {
    const { method = "GET", url = "/", headers } = incoming;
    const earlier = requests.filter((other) => other.method === method && other.path === url).length;
    const request = { method, path: url, headers, earlier };
    requests.push(request);
    forward(registry.host, incoming, outgoing, proxy.plan(request)).catch(() => outgoing.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy: FaultyProxy = {
    host: `127.0.0.1:${port}`,
    port,
    requests,
    plan,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}

async function forward(
  host: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === "status") {
    outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    return;
  }
  const headers = { ...incoming.headers, host };
  if (fault?.kind === "ignore-range") delete headers.range;
  const upstream = http.request(`http://${host}${incoming.url}`, { method: incoming.method ?? "GET", headers });
  incoming.pipe(upstream);
  const [response] = (await once(upstream, "response")) as [IncomingMessage];
  outgoing.writeHead(response.statusCode ?? 502, answerHeaders(response, fault));
  if (await copy(response, outgoing, fault)) outgoing.end();
}

function answerHeaders(response: IncomingMessage, fault: Fault | undefined): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = { ...response.headers };
  if (fault?.kind === "truncate") delete headers["content-length"];
  if (fault?.kind === "resize") headers["content-length"] = String(Number(headers["content-length"]) + fault.by);
  return headers;
}

/** Copies the body with its fault; false if the answer is not to be ended. */
async function copy(response: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): Promise<boolean> {
  const limit = bodyLimit(response, fault);
  let sent = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    if (fault?.kind === "slow") await delay(fault.milliseconds);
    const part = piece.subarray(0, Math.max(0, limit - sent));
    if (fault?.kind === "corrupt" && fault.at >= sent && fault.at < sent + part.length) {
      part[fault.at - sent] = (part[fault.at - sent] ?? 0) ^ 0xff;
    }
    sent += part.length;
    if (!outgoing.write(part)) await drained(outgoing);
    if (sent >= limit) break;
  }
  if (fault?.kind === "stall") return false;
  if (fault?.kind === "cut") {
    // Give the kernel the time to send what was written: a reset drops it.
    await delay(20);
    outgoing.socket?.resetAndDestroy();
    return false;
  }
  if (fault?.kind === "resize" && fault.by > 0) outgoing.write(Buffer.alloc(fault.by));
  return true;
}

/** Resolves when more can be written, or nothing ever again. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
  });
}

function bodyLimit(response: IncomingMessage, fault: Fault | undefined): number {
  if (fault?.kind === "cut" || fault?.kind === "truncate" || fault?.kind === "stall") return fault.after;
  if (fault?.kind === "resize" && fault.by < 0) return Number(response.headers["content-length"]) + fault.by;
  return Infinity;
}
