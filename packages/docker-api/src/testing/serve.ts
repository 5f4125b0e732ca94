import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogFields, type Logger, systemClock } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import type { DockerApiOptions } from "../options.ts";
import { createDockerApiServer, type DockerApiServer } from "../server.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface RequestOptions {
  readonly socketPath: string;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** A served engine on a socket of its own. */
export interface Served extends AsyncDisposable {
  readonly api: DockerApiServer;
  readonly socketPath: string;
  /** Errors that were logged. */
  readonly errors: readonly { readonly message: string; readonly fields: LogFields | undefined }[];
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** A connection for what `node:http` would not send. */
  connect(): Promise<Socket>;
}

export async function serve(
  engine: EngineApi,
  options: Partial<Omit<DockerApiOptions, "engine" | "logger">> = {},
): Promise<Served> {
  const directory = await mkdtemp(join(tmpdir(), "docker-api-test-"));
  const socketPath = join(directory, "api.sock");
  const errors: { message: string; fields: LogFields | undefined }[] = [];
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message, fields) => void errors.push({ message, fields }),
    with: () => logger,
  };
  const api = createDockerApiServer({ clock: systemClock, ...options, engine, logger });
  await new Promise<void>((resolve) => api.server.listen(socketPath, resolve));
  const agent = new Agent({ keepAlive: true });
  return {
    api,
    socketPath,
    errors,
    call: (method, path, body, headers = {}) => send({ socketPath, agent, method, path, headers }, body),
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = connect({ path: socketPath, allowHalfOpen: true }, () => resolve(socket));
        socket.once("error", reject);
      }),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await api.close(100);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function send(options: RequestOptions, body: unknown): Promise<Answer> {
  const bytes = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  // Node would send the body of a DELETE without its length.
  const type =
    bytes === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(bytes) };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, headers: { ...type, ...options.headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    outgoing.once("error", reject);
    outgoing.end(bytes);
  });
}

/** Reads until the other side ends. */
export function readToEnd(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("end", () => resolve(Buffer.concat(chunks)));
    socket.once("error", reject);
  });
}

/** Reads until `text` has been seen; what comes after stays unread. */
export async function readUntil(socket: Socket, text: string): Promise<string> {
  let seen = "";
  while (!seen.includes(text)) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await new Promise((resolve) => socket.once("readable", resolve));
    else seen += chunk.toString("latin1");
  }
  return seen;
}
