import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type Clock, DeadlineExceeded, errorMessage, ResourceExhausted, Semaphore, Unavailable } from "@boxship/base";
import { bindSocket, inNamespace, openNamespace } from "@boxship/kernel";
import { answers } from "./message.ts";

export interface UpstreamsOptions {
  readonly clock: Clock;
  /** Milliseconds that one server has to answer. @default 4000 */
  readonly timeout?: number;
  /** UDP and TCP port of the servers. @default 53 */
  readonly port?: number;
}

export type Transport = "udp" | "tcp";

export interface UpstreamServer {
  readonly address: string;
  /** @default that of the options */
  readonly port?: number;
  /** A kept network namespace to ask from, by UDP only. @default the one of this program */
  readonly namespace?: string;
}

const MOST_AT_ONCE = 512;
/** Questions that wait for others to be answered. Beyond them, who asks would have given up by the time that it is his turn. */
const MOST_WAITING = 512;
/** How long a server that did not answer is asked last, in milliseconds. */
const DISTRUST = 30_000;

/** Asks other DNS servers. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #slots = new Semaphore(MOST_AT_ONCE);
  #asked = 0;
  /** Servers that did not answer, and until when they come after the others. */
  readonly #silent = new Map<string, number>();

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /**
   * The answer of the first server that gives one, with the query's id. Servers are tried in order; one that does not
   * answer in time, or cannot be reached, is passed over, and for half a minute asked after the others. An answer that was cut is handed on as it is: the client asks
   * again by TCP. Throws {@link Unavailable} when none answers, {@link ResourceExhausted} at once when too many wait already.
   *
   * @param query the whole query
   * @param questionEnd where the question ends in it
   */
  async ask(
    query: Buffer,
    questionEnd: number,
    servers: readonly UpstreamServer[],
    transport: Transport,
  ): Promise<Buffer> {
    if (this.#asked >= MOST_AT_ONCE + MOST_WAITING)
      throw new ResourceExhausted("too many questions wait for DNS servers");
    this.#asked++;
    try {
      return await this.#slots.run(() => this.#askInTurn(query, questionEnd, servers, transport));
    } finally {
      this.#asked--;
    }
  }

  async #askInTurn(
    query: Buffer,
    questionEnd: number,
    servers: readonly UpstreamServer[],
    transport: Transport,
  ): Promise<Buffer> {
    // Ids of clients can be guessed by their neighbours; ours and the port are new for every question.
    const outgoing = Buffer.from(query);
    outgoing.writeUInt16BE(randomInt(0x10000), 0);
    const failures: string[] = [];
    for (const server of this.#inOrder(servers)) {
      try {
        const answer = await this.#askOne(outgoing, questionEnd, server, transport);
        answer.writeUInt16BE(query.readUInt16BE(0), 0);
        this.#silent.delete(serverKey(server));
        return answer;
      } catch (error) {
        this.#silent.set(serverKey(server), this.#options.clock.monotonic() + DISTRUST);
        failures.push(`${server.address}: ${errorMessage(error)}`);
      }
    }
    throw new Unavailable(`no DNS server answers (${failures.join("; ") || "none is configured"})`);
  }

  #inOrder(servers: readonly UpstreamServer[]): UpstreamServer[] {
    const now = this.#options.clock.monotonic();
    for (const [key, until] of this.#silent) if (until <= now) this.#silent.delete(key);
    const isSilent = (server: UpstreamServer): boolean => this.#silent.has(serverKey(server));
    return [...servers.filter((server) => !isSilent(server)), ...servers.filter(isSilent)];
  }

  #askOne(query: Buffer, questionEnd: number, server: UpstreamServer, transport: Transport): Promise<Buffer> {
    const { clock, timeout = 4000 } = this.#options;
    const port = server.port ?? this.#options.port ?? 53;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimeout(timeout, () => {
        finish(() => reject(new DeadlineExceeded(`no answer within ${timeout} ms`)));
      });
      const accept = (message: Buffer): void => {
        if (answers(message, query, questionEnd)) finish(() => resolve(message));
      };
      const fail = (error: Error): void => finish(() => reject(error));
      const byUdp = transport === "udp" || server.namespace !== undefined;
      const close = byUdp ? askUdp(query, server, port, accept, fail) : askTcp(query, server, port, accept, fail);
      const finish = (settle: () => void): void => {
        timer[Symbol.dispose]();
        close();
        settle();
      };
    });
  }
}

function serverKey({ address, port, namespace }: UpstreamServer): string {
  return `${address} ${port ?? ""} ${namespace ?? ""}`;
}

type Accept = (message: Buffer) => void;
type Fail = (error: Error) => void;

function askUdp(query: Buffer, server: UpstreamServer, port: number, accept: Accept, fail: Fail): () => void {
  const six = server.address.includes(":");
  const socket = createSocket(six ? "udp6" : "udp4");
  if (server.namespace !== undefined) socket.bind({ fd: socketIn(server.namespace, six ? "::" : "0.0.0.0") });
  let closed = false;
  socket.on("message", (message) => accept(message));
  socket.on("error", fail);
  // Connected, so that only the server can answer and a closed port is an error at once.
  socket.connect(port, server.address, () => {
    if (!closed) socket.send(query);
  });
  return () => {
    if (closed) return;
    closed = true;
    socket.close();
  };
}

function socketIn(path: string, address: string): number {
  using namespace = openNamespace(path);
  return inNamespace(namespace, "net", () => bindSocket({ protocol: "udp", address, port: 0 }).fd.release());
}

function askTcp(query: Buffer, server: UpstreamServer, port: number, accept: Accept, fail: Fail): () => void {
  const socket = connect({ host: server.address, port });
  const frames = new FrameReader();
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  socket.on("connect", () => socket.write(Buffer.concat([length, query])));
  socket.on("data", (data: Buffer) => frames.push(data).forEach(accept));
  socket.on("error", fail);
  socket.on("close", () => fail(new Unavailable("connection closed without an answer")));
  return () => void socket.destroy();
}

/** Cuts a TCP stream into messages, each of which has its length before it. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  push(data: Buffer): Buffer[] {
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const messages: Buffer[] = [];
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0);
      messages.push(Buffer.from(bytes.subarray(2, end)));
      bytes = bytes.subarray(end);
    }
    this.#rest = Buffer.from(bytes);
    return messages;
  }
}

/** A message with its length before it. */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
