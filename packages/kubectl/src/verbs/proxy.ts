import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { upgradeResponse } from "@boxship/base/pass-on";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";

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
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const url = request.url ?? "/";
      if (!url.startsWith(prefix)) return void response.writeHead(404).end("404 page not found\n");
      const path = `/${url.slice(prefix.length)}`;
      if (!allowed(request, path.split("?")[0] ?? "")) return void response.writeHead(403).end("Forbidden\n");
      void api.passOn(request, response, path);
    };
    const server = createServer(answer);
    // Those that have become another protocol's are no longer the server's.
    const open = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
    });
    server.on("upgrade", (request, socket: Socket, head) => answer(request, upgradeResponse(request, socket, head)));
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
    server.close();
    for (const socket of open) socket.destroy();
  },
});
