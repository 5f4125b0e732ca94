import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { asBoxshipError, type Clock, InvalidArgument, type Logger, NotFound, type Timer } from "@boxship/base";

/** What is done with a connection that has been asked for. It answers the upgrade itself. */
export type StreamTask = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/** How long a place may wait for its visitor. */
const WAIT_MS = 60_000;

/**
 * Where clients connect for commands and ports of containers: on loopback, each at a path that nobody can guess, good for
 * one connection within a minute. It listens from the first place on.
 */
export class StreamingServer implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #places = new Map<string, { readonly task: StreamTask; readonly timer: Timer }>();
  readonly #sockets = new Set<Duplex>();
  #listening: Promise<Server> | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @returns the address for one connection */
  async place(kind: string, task: StreamTask): Promise<string> {
    const server = await (this.#listening ??= this.#listen());
    const path = `/${kind}/${randomBytes(16).toString("hex")}`;
    const timer = this.#clock.setTimeout(WAIT_MS, () => this.#places.delete(path));
    this.#places.set(path, { task, timer });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  }

  async #listen(): Promise<Server> {
    const server = createServer((_request, response) => {
      response.writeHead(400, { "content-type": "text/plain" }).end("an upgrade of the connection is needed\n");
    });
    server.on("upgrade", (request, socket, head) => void this.#visit(request, socket, head));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    return server;
  }

  async #visit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    try {
      const path = request.url ?? "";
      const place = this.#places.get(path);
      if (place === undefined) throw new NotFound("there is nothing to connect to here, or no more");
      this.#places.delete(path);
      place.timer[Symbol.dispose]();
      await place.task(request, socket, head);
    } catch (error) {
      const { code, message } = asBoxshipError(error);
      if (code === "Internal") this.#logger.error("a stream of a container failed", { error });
      if (socket.writable)
        socket.end(refusal(code === "NotFound" ? 404 : code === "InvalidArgument" ? 400 : 500, message));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer } of this.#places.values()) timer[Symbol.dispose]();
    this.#places.clear();
    const server = await this.#listening;
    server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function refusal(status: number, message: string): string {
  const body = `${message}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}

/** The first of the wanted protocols that is offered. @throws InvalidArgument */
export function chooseProtocol(offered: readonly string[], known: readonly string[]): string {
  const chosen = known.find((protocol) => offered.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new InvalidArgument(`unable to upgrade: none of the protocols ${offered.join(", ")} is known`);
}
