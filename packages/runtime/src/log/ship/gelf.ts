import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { deflateSync, gzipSync } from "node:zlib";
import type { Clock } from "@boxship/base";
import type { ConnectLog, LogConnection, LogMessage } from "./contract.ts";
import { connectDatagram } from "./datagram-connection.ts";
import { StreamConnection } from "./stream-connection.ts";

export interface GelfOptions {
  readonly protocol: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
  /** UDP only. */
  readonly compression: "gzip" | "zlib" | "none";
  /** -1 to 9. */
  readonly compressionLevel: number;
  /** More fields of each message, with the underscore of their names. */
  readonly fields: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

const ERROR = 3;
const INFO = 6;
/** Of a packet, its header included: fits in an Ethernet frame. */
const PACKET = 1420;
const CHUNK_HEADER = 12;
const MOST_CHUNKS = 128;

/** GELF 1.1: compressed and in chunks over UDP, ended by a zero byte over TCP. */
export function gelfTarget(options: GelfOptions): ConnectLog {
  return (signal) => (options.protocol === "tcp" ? overTcp(options, signal) : overUdp(options));
}

async function overTcp(options: GelfOptions, signal: AbortSignal): Promise<LogConnection> {
  const connection = await StreamConnection.connect(options, signal);
  return {
    get open() {
      return connection.open;
    },
    async send(messages) {
      const texts = worthSending(messages).map((message) => `${encodeGelf(message, options)}\0`);
      if (texts.length > 0) await connection.write(Buffer.from(texts.join("")));
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function overUdp(options: GelfOptions): Promise<LogConnection> {
  const connection = await connectDatagram(options, options.clock);
  return {
    get open() {
      return connection.open;
    },
    async send(messages) {
      for (const message of worthSending(messages)) {
        const packed = compress(Buffer.from(encodeGelf(message, options)), options);
        for (const packet of gelfPackets(packed)) await connection.send(packet);
      }
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** GELF wants a short message that is not empty. */
function worthSending(messages: readonly LogMessage[]): readonly LogMessage[] {
  return messages.filter(({ text }) => text.length > 0);
}

/** One message as JSON. Bytes that are no UTF-8 become the replacement character. */
export function encodeGelf({ stream, time, text }: LogMessage, { fields }: Pick<GelfOptions, "fields">): string {
  return JSON.stringify({
    version: "1.1",
    host: hostname(),
    short_message: text.toString("utf8"),
    timestamp: Number(time / 1_000_000n) / 1000,
    level: stream === "stderr" ? ERROR : INFO,
    ...fields,
  });
}

function compress(data: Buffer, { compression, compressionLevel: level }: GelfOptions): Buffer {
  if (compression === "none") return data;
  return compression === "gzip" ? gzipSync(data, { level }) : deflateSync(data, { level });
}

/** A message in as many packets as it takes; one that would take too many cannot be sent, and has none. */
export function gelfPackets(message: Buffer): readonly Buffer[] {
  if (message.length <= PACKET) return [message];
  const size = PACKET - CHUNK_HEADER;
  const count = Math.ceil(message.length / size);
  if (count > MOST_CHUNKS) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f]),
      id,
      Buffer.from([index, count]),
      message.subarray(index * size, (index + 1) * size),
    ]),
  );
}
