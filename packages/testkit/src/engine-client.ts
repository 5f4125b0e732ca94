import { Agent, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";

export interface EngineResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface CallOptions {
  /** Sent as JSON; bytes, such as an archive, as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A plain client of the Docker Engine API on a unix socket: the same code drives dockerd and Boxship. Connections are
 * kept alive; disposing closes them.
 */
export class EngineClient implements Disposable {
  readonly socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  #send(method: string, path: string, options: CallOptions): ReturnType<typeof request> {
    const { body: given } = options;
    const body = given === undefined || given instanceof Uint8Array ? given : JSON.stringify(given);
    const headers: Record<string, string> = { host: "localhost", ...options.headers };
    if (body !== undefined) {
      headers["content-type"] ??= given instanceof Uint8Array ? "application/x-tar" : "application/json";
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    const sent = request({ socketPath: this.socketPath, agent: this.#agent, method, path, headers });
    sent.end(body);
    return sent;
  }

  /** The answer as a stream, whatever its status. */
  stream(method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = this.#send(method, path, options);
      sent.on("response", resolve);
      sent.on("error", reject);
    });
  }

  /** The whole answer, whatever its status. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<EngineResponse> {
    const response = await this.stream(method, path, options);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }

  /** The parsed answer of a call that must succeed; `undefined` for one without a body. @throws Error */
  async json<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.call(method, path, body === undefined ? {} : { body });
    if (status >= 400 || status < 200) throw new Error(`${method} ${path}: ${status} ${text.trim()}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** A call that takes over the connection (attach, exec start). The caller ends the stream. */
  hijack(path: string, body: unknown): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const headers = {
        host: "localhost",
        connection: "Upgrade",
        upgrade: "tcp",
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(text)),
      };
      const sent = request({ socketPath: this.socketPath, agent: false, method: "POST", path, headers });
      sent.on("upgrade", (_response, socket, head: Buffer) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      sent.on("response", (response) => {
        response.resume();
        reject(new Error(`POST ${path}: ${response.statusCode}, the connection was not handed over`));
      });
      sent.on("error", reject);
      sent.end(text);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
