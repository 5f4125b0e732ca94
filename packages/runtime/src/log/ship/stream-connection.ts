import { connect as connectPlain, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { Unavailable } from "@boxship/base";

export type StreamAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly tls?: ConnectionOptions };

const CONNECT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;

/** A byte stream to a log server. */
export class StreamConnection implements AsyncDisposable {
  readonly #socket: Socket;
  #error: Error | undefined;
  readonly #closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", (error) => {
      this.#error = error;
    });
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** @param onData what the server sends; without, it is thrown away */
  static async connect(
    address: StreamAddress,
    signal: AbortSignal,
    onData?: (data: Buffer) => void,
  ): Promise<StreamConnection> {
    const socket = await openSocket(address);
    const connection = new StreamConnection(socket);
    const ready = "path" in address || address.tls === undefined ? "connect" : "secureConnect";
    try {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Unavailable("no answer to the connection request")), CONNECT_MS);
        const settle = (): void => {
          clearTimeout(late);
          if (signal.aborted || connection.#error !== undefined || socket.destroyed) {
            reject(connection.#error ?? new Unavailable("the connection was closed"));
          } else resolve();
        };
        socket.once(ready, settle);
        socket.once("close", settle);
        signal.addEventListener("abort", settle, { once: true });
      });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    if (onData !== undefined) socket.on("data", onData);
    // The end of a connection is only noticed by who reads.
    socket.resume();
    return connection;
  }

  get open(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  /** Resolves when the connection stands no more. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Resolves when the kernel has taken all of it. @throws Unavailable when the connection breaks before */
  write(data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const broken = (): void => reject(this.failure());
      if (!this.open) {
        broken();
        return;
      }
      this.#socket.once("close", broken);
      this.#socket.write(data, (error) => {
        this.#socket.off("close", broken);
        if (error === null || error === undefined) resolve();
        else broken();
      });
    });
  }

  /** Why the connection stands no more. */
  failure(): Unavailable {
    const reason = this.#error?.message ?? "the other side closed it";
    return new Unavailable(`the connection to the log server broke: ${reason}`, { cause: this.#error });
  }

  /** What was written is still delivered if the other side takes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.writableLength > 0) this.#socket.destroy();
    else this.#socket.end(() => this.#socket.destroySoon());
  }
}

async function openSocket(address: StreamAddress): Promise<Socket> {
  if ("path" in address) return connectPlain(address.path);
  const { host, port, tls } = address;
  if (tls === undefined) return connectPlain({ host, port, noDelay: true });
  const { connect, createSecureContext } = await import("node:tls");
  const { rejectUnauthorized = true, ...context } = tls;
  // Certificates for addresses are checked without a name.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connect({ host, port, ...name, rejectUnauthorized, secureContext: createSecureContext(context) });
}
