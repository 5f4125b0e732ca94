import { randomBytes } from "node:crypto";
import { type Clock, Unavailable } from "@boxship/base";
import type { ConnectLog, LogConnection, LogMessage } from "./contract.ts";
import { packArrayHeader, packEventTime, packInteger, packMap, packString } from "./msgpack.ts";
import { type StreamAddress, StreamConnection } from "./stream-connection.ts";

export interface FluentdOptions {
  readonly address: StreamAddress;
  readonly tag: string;
  /** Fields of every record, before those of the message. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields that come last, and win over others of their names. */
  readonly extra: Readonly<Record<string, string>>;
  /** Nanoseconds instead of seconds. */
  readonly subSecond: boolean;
  /** Wait until the server has acknowledged each message. */
  readonly acknowledge: boolean;
  /** How long to wait for an acknowledgement before all is sent again, in milliseconds. */
  readonly acknowledgeTimeout: number;
  readonly clock: Clock;
}

/** Fluentd's forward protocol, version 1, in Message mode, as Docker sends it. */
export function fluentdTarget(options: FluentdOptions): ConnectLog {
  return async (signal) => {
    const acknowledgements = new Acknowledgements();
    const connection = await StreamConnection.connect(options.address, signal, (data) => acknowledgements.add(data));
    void connection.closed.then(() => acknowledgements.fail(connection.failure()));
    return fluentdConnection(connection, options, acknowledgements);
  };
}

function fluentdConnection(
  connection: StreamConnection,
  options: FluentdOptions,
  acknowledgements: Acknowledgements,
): LogConnection {
  return {
    get open() {
      return connection.open;
    },
    async send(messages) {
      if (!options.acknowledge) {
        await connection.write(Buffer.concat(messages.map((message) => encodeFluentd(message, options))));
        return;
      }
      const chunks = messages.map(() => randomBytes(16).toString("base64"));
      const acknowledged = acknowledgements.wait(chunks, options);
      const data = messages.map((message, index) => encodeFluentd(message, options, chunks[index]));
      await Promise.all([connection.write(Buffer.concat(data)), acknowledged]);
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** `[tag, time, record, option]`; the option names the chunk that is to be acknowledged. */
export function encodeFluentd(
  { stream, time, text, partial }: LogMessage,
  { tag, fields, extra, subSecond }: Pick<FluentdOptions, "tag" | "fields" | "extra" | "subSecond">,
  chunk?: string,
): Buffer {
  const record = new Map<string, string | Buffer>([...Object.entries(fields), ["source", stream], ["log", text]]);
  for (const [key, value] of Object.entries(extra)) record.set(key, value);
  if (partial !== undefined) {
    record.set("partial_message", "true");
    record.set("partial_id", partial.id);
    record.set("partial_ordinal", String(partial.ordinal));
    record.set("partial_last", String(partial.last));
  }
  return Buffer.concat([
    packArrayHeader(4),
    packString(tag),
    subSecond ? packEventTime(time) : packInteger(Number(time / 1_000_000_000n)),
    packMap([...record]),
    packMap(chunk === undefined ? [] : [["chunk", chunk]]),
  ]);
}

const ACK_KEY = packString("ack");

/** Reads `{"ack": CHUNK}` after `{"ack": CHUNK}`. */
class Acknowledgements {
  #data: Buffer = Buffer.alloc(0);
  readonly #missing = new Set<string>();
  #resolve: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  /** Resolves when all chunks are acknowledged. */
  async wait(chunks: readonly string[], { clock, acknowledgeTimeout }: FluentdOptions): Promise<void> {
    for (const chunk of chunks) this.#missing.add(chunk);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    this.#reject = reject;
    const late = new Unavailable(`the log server acknowledged nothing for ${acknowledgeTimeout / 1000} s`);
    using _timer = clock.setTimeout(acknowledgeTimeout, () => reject(late));
    await promise;
  }

  fail(error: Error): void {
    this.#reject?.(error);
  }

  add(data: Buffer): void {
    this.#data = Buffer.concat([this.#data, data]);
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) this.#missing.delete(chunk);
    if (this.#missing.size === 0) this.#resolve?.();
  }

  #take(): string | undefined {
    const data = this.#data;
    if (data.length < 2) return undefined;
    const start = 1 + ACK_KEY.length;
    const head = data[start];
    if (data.length > start && (data[0] !== 0x81 || !data.subarray(1, start).equals(ACK_KEY))) {
      this.fail(new Unavailable("the log server answers something that is no acknowledgement"));
      return undefined;
    }
    if (head === undefined) return undefined;
    const short = (head & 0xe0) === 0xa0;
    const length = short ? head & 0x1f : data[start + 1];
    const begin = start + (short ? 1 : 2);
    if (length === undefined || data.length < begin + length) return undefined;
    this.#data = data.subarray(begin + length);
    return data.toString("latin1", begin, begin + length);
  }
}
