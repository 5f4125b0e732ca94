import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { errorMessage } from "@boxship/base/errors";
import { Failure } from "../failure.ts";
import type { Endpoint } from "../instance.ts";
import { type ResponseHead, ResponseParser } from "./response-parser.ts";

/** One request as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Sent in chunks, instead of {@link body}. */
  readonly stream?: Readable | undefined;
}

/** An answer: its head, and its body as a stream that must be read, or destroyed. */
export interface WireResponse extends ResponseHead {
  readonly body: Readable;
  /** After a 101: the connection itself, and what arrived with the head. The receiver owns it. */
  readonly upgraded?: { readonly socket: Socket; readonly head: Buffer };
}

/** Opens a connection. Rejects with the system's error when nobody answers. */
export async function openConnection(endpoint: Endpoint): Promise<Connection> {
  const socket =
    endpoint.kind === "unix" ? connect(endpoint.path) : connect({ host: endpoint.host, port: endpoint.port });
  await once(socket, "connect");
  return new Connection(socket);
}

/** One connection to the engine, for one request at a time. */
export class Connection implements Disposable {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    // Whoever uses the connection hears of its failures; one that lies idle may fail unheard.
    socket.on("error", () => {});
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  /**
   * Sends a request and waits for the head of its answer.
   *
   * @param onFree called when the body is complete and the connection may be used again
   */
  async send(request: WireRequest, onFree: () => void): Promise<WireResponse> {
    const answer = receive(this.socket, request.method === "HEAD", onFree);
    // The engine may refuse, and close, before it has read everything: its answer counts, not our broken pipe.
    // What cannot be read here ends the exchange: without the rest of the body no answer would come.
    this.#write(request).catch((error: unknown) => this.socket.destroy(unreadable(error)));
    return answer;
  }

  async #write({ method, path, headers, body, stream }: WireRequest): Promise<void> {
    const { socket } = this;
    const length = body === undefined ? 0 : Buffer.byteLength(body);
    const size =
      stream !== undefined
        ? { "Transfer-Encoding": "chunked" }
        : body !== undefined || method === "POST" || method === "PUT"
          ? { "Content-Length": String(length) }
          : {};
    const lines = Object.entries({ ...headers, ...size }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`);
    if (stream === undefined) return;
    for await (const piece of stream) {
      const bytes = piece as Buffer;
      if (bytes.length === 0) continue;
      socket.write(`${bytes.length.toString(16)}\r\n`);
      socket.write(bytes);
      if (!socket.write("\r\n")) await drained(socket);
      if (socket.destroyed) return;
    }
    socket.write("0\r\n\r\n");
  }
}

function unreadable(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`cannot read what is to be sent: ${errorMessage(error)}`, { cause: error });
}

/** Room for more, or nobody left to write to. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

function receive(socket: Socket, bodiless: boolean, onFree: () => void): Promise<WireResponse> {
  return new Promise((resolve, reject) => {
    const body = new Readable({
      read: () => void socket.resume(),
      // A body that nobody reads to its end leaves a connection that nobody can use.
      destroy(error, done) {
        if (!parser.isDone) socket.destroy();
        done(error);
      },
    });
    const detach = (): void => {
      socket.off("data", onData).off("end", onEnd).off("error", onError).off("close", onEnd);
    };
    const parser: ResponseParser = new ResponseParser(
      {
        head: (head) => {
          if (head.status !== 101) return resolve({ ...head, body });
          detach();
          socket.pause();
          resolve({ ...head, body, upgraded: { socket, head: parser.takeRest() } });
        },
        data: (piece) => {
          if (!body.push(piece)) socket.pause();
        },
        end: (reusable) => {
          detach();
          body.push(null);
          if (reusable) onFree();
          else socket.destroy();
        },
      },
      bodiless,
    );
    const fail = (error: unknown): void => {
      detach();
      socket.destroy();
      reject(error);
      body.destroy(error as Error);
    };
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        fail(error);
      }
    };
    const onData = (chunk: Buffer): void => guarded(() => parser.push(chunk));
    const onEnd = (): void => guarded(() => parser.close());
    const onError = (error: Error): void => fail(error);
    // Whoever drops the body without reading it is not told about its end.
    body.on("error", () => {});
    socket.on("data", onData).on("end", onEnd).on("error", onError).on("close", onEnd);
    socket.resume();
  });
}
