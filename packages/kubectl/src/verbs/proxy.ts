import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { errorMessage } from "@boxship/base";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import type { Api } from "../request/api.ts";

/** Largest body of a request that is passed on. */
const MOST_BYTES = 4 << 20;

export const command = defineCommand({
  usage: "[--port=PORT] [--api-prefix=prefix]",
  summary: "Run a proxy to the Kubernetes API server",
  flags: {
    "accept-hosts": str("^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$"),
    "accept-paths": str("^.*"),
    address: str("127.0.0.1"),
    "api-prefix": str("/"),
    "append-server-path": bool(),
    "disable-filter": bool(),
    keepalive: duration(),
    port: int(8001, { short: "p" }),
    "reject-methods": str("^$"),
    "reject-paths": str("^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"),
    "unix-socket": str("", { short: "u" }),
    www: str("", { short: "w" }),
    "www-prefix": str("/static/", { short: "P" }),
  },
  async run(session, { flags, changed }) {
    const refused = ["www", "www-prefix", "append-server-path"].find((name) => changed.has(name));
    if (refused !== undefined) throw new Refusal(`--${refused} is not supported`);
    const api = await session.api();
    const some = (list: string, text: string): boolean => list.split(",").some((one) => new RegExp(one).test(text));
    const prefix = flags["api-prefix"].replace(/\/*$/, "/");
    const allowed = (request: IncomingMessage, path: string): boolean => {
      if (flags["disable-filter"]) return true;
      const host = (request.headers.host ?? "").replace(/:\d+$/, "");
      const isPath = some(flags["accept-paths"], path) && !some(flags["reject-paths"], path);
      return isPath && !some(flags["reject-methods"], request.method ?? "") && some(flags["accept-hosts"], host);
    };
    const server = createServer((request, response) => {
      const url = request.url ?? "/";
      if (!url.startsWith(prefix)) return void response.writeHead(404).end("404 page not found\n");
      const path = `/${url.slice(prefix.length)}`;
      if (!allowed(request, path.split("?")[0] ?? "")) return void response.writeHead(403).end("Forbidden\n");
      void forward(api, request, response, path);
    });
    const at = flags["unix-socket"];
    if (at === "") server.listen(flags.port, flags.address);
    else server.listen(at);
    await once(server, "listening");
    const address = server.address();
    const shown =
      typeof address === "string" ? address : `${(address as AddressInfo).address}:${(address as AddressInfo).port}`;
    session.print(`Starting to serve on ${shown}`);
    const { signal } = session.io;
    await new Promise<void>((done) => signal?.addEventListener("abort", () => done(), { once: true }));
    server.closeAllConnections();
    server.close();
  },
});

async function forward(api: Api, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  const ended = new AbortController();
  response.once("close", () => ended.abort());
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_BYTES) return void response.writeHead(413).end();
      chunks.push(chunk);
    }
    const body = chunks.length === 0 ? undefined : Buffer.concat(chunks).toString();
    const { "content-type": contentType, accept } = request.headers;
    const reply = await api.open(request.method ?? "GET", path, {
      body,
      ...(contentType !== undefined && { contentType }),
      accept: accept ?? "*/*",
      signal: ended.signal,
    });
    const headers = Object.entries(reply.headers).filter(
      ([name, value]) => !name.startsWith(":") && value !== undefined,
    );
    response.writeHead(reply.status, Object.fromEntries(headers) as Record<string, string>);
    response.flushHeaders();
    await pipeline(reply.stream, response);
  } catch (error) {
    if (!response.headersSent) response.writeHead(502);
    response.end(`${errorMessage(error)}\n`);
  }
}
