import type { IncomingMessage } from "node:http";
import { type Duplex, PassThrough, type Readable } from "node:stream";
import { acceptWebSocket } from "@boxship/base";
import type { TerminalSize } from "@boxship/engine";
import type { WebSocket } from "ws";
import { chooseProtocol } from "./streaming-server.ts";

/** What a client of a command is connected by. */
export interface Channels {
  readonly stdin: Readable;
  /** Resolves when the client takes more. */
  write(stream: "stdout" | "stderr", data: Uint8Array): Promise<void>;
  /** How it ended, at the end, as a Status of the Kubernetes API; then the connection is closed. */
  finish(status: object): Promise<void>;
  onResize(listener: (size: TerminalSize) => void): void;
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
}

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** From the newest on. Before the fifth, a client could not end its input without leaving. */
const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/** Takes a connection over as a WebSocket with channels: the first byte of each message says which one. */
export async function webSocketChannels(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Channels> {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
  const protocol = chooseProtocol(offered, PROTOCOLS);
  return channelsOf(await acceptWebSocket(request, socket, head, protocol));
}

function channelsOf(socket: WebSocket): Channels {
  const stdin = new PassThrough();
  const gone = new AbortController();
  let resized: ((size: TerminalSize) => void) | undefined;
  let last: TerminalSize | undefined;
  socket.on("message", (message: Buffer) => {
    const [channel] = message;
    const data = message.subarray(1);
    if (channel === CHANNEL.stdin) {
      if (!stdin.write(data)) {
        socket.pause();
        stdin.once("drain", () => socket.resume());
      }
    } else if (channel === CHANNEL.resize) {
      last = sizeOf(data) ?? last;
      if (last !== undefined) resized?.(last);
    } else if (channel === CHANNEL.close && data[0] === CHANNEL.stdin) stdin.end();
  });
  socket.on("close", () => {
    stdin.end();
    gone.abort();
  });
  const send = (channel: number, data: Uint8Array) =>
    new Promise<void>((resolve) => socket.send(Buffer.concat([Buffer.of(channel), data]), () => resolve()));
  return {
    stdin,
    gone: gone.signal,
    write: (stream, data) => send(CHANNEL[stream], data),
    async finish(status) {
      await send(CHANNEL.error, Buffer.from(JSON.stringify(status)));
      socket.close(1000);
    },
    onResize(listener) {
      resized = listener;
      if (last !== undefined) listener(last);
    },
  };
}

/** @returns undefined for what is no size */
export function sizeOf(data: Buffer): TerminalSize | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(data.toString("utf8")) as { Width: number; Height: number };
    return Number.isInteger(width) && Number.isInteger(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}
