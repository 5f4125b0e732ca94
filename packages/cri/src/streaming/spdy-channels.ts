import type { IncomingMessage } from "node:http";
import { type Duplex, PassThrough } from "node:stream";
import { DeadlineExceeded } from "@boxship/base";
import type { TerminalSize } from "@boxship/engine";
import { type Channels, sizeOf } from "./channels.ts";
import { SpdyConnection, type SpdyStream } from "./spdy-connection.ts";
import { chooseProtocol } from "./streaming-server.ts";

/** The one that all clients of the last ten years speak: how it ended is told as a Status. */
const PROTOCOLS = ["v4.channel.k8s.io"];
/** How long a client may take to open the streams that it asked for. */
const OPEN_MS = 30_000;

export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Takes a connection over as SPDY/3.1 with a stream for each of what a command has. */
export async function spdyChannels(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  wanted: WantedStreams,
): Promise<Channels> {
  const offered = [request.headers["x-stream-protocol-version"] ?? []].flat().flatMap((one) => one.split(","));
  const protocol = chooseProtocol(
    offered.map((one) => one.trim()),
    PROTOCOLS,
  );
  switchToSpdy(socket, head, protocol);
  const names = ["error", ...(["stdin", "stdout", "stderr"] as const).filter((name) => wanted[name])];
  if (wanted.tty) names.push("resize");
  const streams = new Map<string, SpdyStream>();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const gone = new AbortController();
  const connection = new SpdyConnection(socket, (stream) => {
    streams.set(stream.headers.get("streamtype") ?? "", stream);
    if (names.every((name) => streams.has(name))) resolve();
  });
  void connection
    .run()
    .catch(() => {})
    .then(() => {
      gone.abort();
      reject(new DeadlineExceeded("the client has gone"));
    });
  const late = setTimeout(() => {
    reject(new DeadlineExceeded("the client has not opened its streams in time"));
    connection.close();
  }, OPEN_MS);
  try {
    await complete;
  } finally {
    clearTimeout(late);
  }
  return channelsOf(streams, connection, gone.signal);
}

export function switchToSpdy(socket: Duplex, head: Buffer, protocol: string): void {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1"];
  socket.write([...lines, `X-Stream-Protocol-Version: ${protocol}`, "", ""].join("\r\n"));
  if (head.length > 0) socket.unshift(head);
}

function channelsOf(streams: ReadonlyMap<string, SpdyStream>, connection: SpdyConnection, gone: AbortSignal): Channels {
  const send = (name: string, data: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const stream = streams.get(name);
      if (stream === undefined || !stream.writable) resolve();
      else stream.write(data, () => resolve());
    });
  const end = (stream: SpdyStream): Promise<void> =>
    new Promise((resolve) => (stream.writable ? stream.end(() => resolve()) : resolve()));
  return {
    stdin: streams.get("stdin") ?? new PassThrough().end(),
    gone,
    write: send,
    async finish(status) {
      await send("error", Buffer.from(JSON.stringify(status)));
      await Promise.all([...streams.values()].map(end));
      connection.close();
    },
    onResize: (listener) => void readSizes(streams.get("resize"), listener).catch(() => {}),
  };
}

/** One JSON object after another. */
async function readSizes(stream: SpdyStream | undefined, listener: (size: TerminalSize) => void): Promise<void> {
  let text = "";
  for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) {
    text += chunk.toString("utf8");
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = sizeOf(Buffer.from(text.slice(0, end + 1)));
      text = text.slice(end + 1);
      if (size !== undefined) listener(size);
    }
  }
}
