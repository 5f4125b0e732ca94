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
const MOST_TCP = 512;
/** Of one client's address: it must not keep others from asking. */
const MOST_TCP_EACH = 64;
/** Questions of one connection that are looked at. */
const MOST_AT_ONCE_EACH = 32;
/** Bytes of a question at most: a name, and what EDNS adds to it. */
const LONGEST_QUESTION = 4096;

/** The resolver of one sandbox, on sockets that were opened in its namespace and now belong to this object. */
export class ResolverServer implements Disposable {
  readonly #handlers: ResolverHandlers;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Map<TcpSocket, string>();
  #closed = false;

  constructor(sockets: ResolverSockets, handlers: ResolverHandlers) {
    this.#handlers = handlers;
    this.#udp = createSocket("udp4");
    this.#udp.on("message", (message, client) => {
      this.#respond(message, "udp", (answer) => {
        // The client may be gone; it is its loss.
        if (!this.#closed && answer !== undefined) this.#udp.send(answer, client.port, client.address, () => {});
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
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #accept(socket: TcpSocket): void {
    const { remoteAddress: client = "" } = socket;
    if (this.#connections.values().reduce((count, other) => count + Number(other === client), 0) >= MOST_TCP_EACH) {
      socket.destroy();
      return;
    }
    const frames = new FrameReader();
    this.#connections.set(socket, client);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(TCP_IDLE, () => socket.destroy());
    const waiting: Buffer[] = [];
    let under = 0;
    // Who asks without reading what he is told is not listened to meanwhile.
    const goOn = (): void => {
      while (waiting.length > 0 && under < MOST_AT_ONCE_EACH && socket.writable && !socket.writableNeedDrain) {
        under++;
        this.#respond(waiting.shift() ?? Buffer.alloc(0), "tcp", (answer) => {
          under--;
          if (answer !== undefined && socket.writable) socket.write(frame(answer));
          queueMicrotask(goOn);
        });
      }
      if (waiting.length > 0) socket.pause();
      else socket.resume();
    };
    socket.on("drain", goOn);
    socket.on("data", (data: Buffer) => {
      waiting.push(...frames.push(data));
      goOn();
    });
  }

  /** @param send undefined where nothing can be said */
  #respond(message: Buffer, transport: Transport, send: (answer: Buffer | undefined) => void): void {
    const isLong = message.length > LONGEST_QUESTION;
    const question = isLong ? undefined : parseQuestion(message);
    if (question === undefined) {
      const refusal = encodeFailure(message, isLong ? ResponseCode.FormatError : ResponseCode.NotImplemented);
      send(refusal);
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
