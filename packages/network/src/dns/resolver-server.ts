import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import type { ResolverSockets } from "../worker/namespace-operations.ts";
import { type Answer, encodeAnswer, encodeFailure, parseQuestion, type Question, ResponseCode } from "./message.ts";
import { FrameReader, frame, type Transport } from "./upstreams.ts";

export interface ResolverHandlers {
  /** An answer of our own, or undefined to ask others. */
  readonly answer: (question: Question) => Answer | undefined;
  /** Asks others; the whole answer. */
  readonly forward: (question: Question, transport: Transport) => Promise<Buffer>;
}

const TCP_IDLE = 10_000;
const MOST_TCP = 64;

/** The resolver of one sandbox, on sockets that were opened in its namespace and now belong to this object. */
export class ResolverServer implements Disposable {
  readonly #handlers: ResolverHandlers;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<TcpSocket>();
  #closed = false;

  constructor(sockets: ResolverSockets, handlers: ResolverHandlers) {
    this.#handlers = handlers;
    this.#udp = createSocket("udp4");
    this.#udp.on("message", (message, client) => {
      this.#respond(message, "udp", (answer) => {
        // The client may be gone; it is its loss.
        if (!this.#closed) this.#udp.send(answer, client.port, client.address, () => {});
      });
    });
    this.#udp.on("error", () => {});
    this.#udp.bind({ fd: sockets.udp });
    this.#tcp = createServer((socket) => this.#accept(socket));
    this.#tcp.maxConnections = MOST_TCP;
    this.#tcp.on("error", () => {});
    this.#tcp.listen({ fd: sockets.tcp });
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
  }

  #accept(socket: TcpSocket): void {
    const frames = new FrameReader();
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(TCP_IDLE, () => socket.destroy());
    socket.on("data", (data: Buffer) => {
      for (const message of frames.push(data)) {
        this.#respond(message, "tcp", (answer) => {
          if (socket.writable) socket.write(frame(answer));
        });
      }
    });
  }

  #respond(message: Buffer, transport: Transport, send: (answer: Buffer) => void): void {
    const question = parseQuestion(message);
    if (question === undefined) {
      const refusal = encodeFailure(message, ResponseCode.NotImplemented);
      if (refusal !== undefined) send(refusal);
      return;
    }
    const own = this.#handlers.answer(question);
    if (own !== undefined) {
      send(encodeAnswer(question, own, transport === "udp" ? question.udpSize : undefined));
      return;
    }
    this.#handlers.forward(question, transport).then(send, () => {
      send(encodeAnswer(question, { code: ResponseCode.ServerFailure, records: [] }));
    });
  }
}
