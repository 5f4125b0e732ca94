import type { Clock } from "@boxship/base";
import type { ConnectLog, LogMessage } from "./contract.ts";
import { connectDatagram } from "./datagram-connection.ts";

export interface JournaldOptions {
  /** Where journald listens. */
  readonly socketPath: string;
  /** Fields of every entry; names in capital letters, digits and underscores. */
  readonly fields: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

const ERROR = "3";
const INFO = "6";

/** The journal's native protocol: an entry is a datagram of fields. One that is too large for the socket is left out. */
export function journaldTarget(options: JournaldOptions): ConnectLog {
  const common = Object.entries(options.fields).map(([name, value]) => encodeField(name, Buffer.from(value)));
  return async () => {
    const connection = await connectDatagram({ path: options.socketPath }, options.clock);
    return {
      get open() {
        return connection.open;
      },
      async send(messages) {
        for (const message of messages) await connection.send(encodeJournalEntry(message, common));
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  };
}

function encodeJournalEntry({ stream, time, text, partial }: LogMessage, common: readonly Buffer[]): Buffer {
  const field = (name: string, value: string) => encodeField(name, Buffer.from(value));
  return Buffer.concat([
    encodeField("MESSAGE", text),
    field("PRIORITY", stream === "stderr" ? ERROR : INFO),
    ...common,
    field("SYSLOG_TIMESTAMP", rfc3339(time)),
    ...(partial === undefined
      ? []
      : [
          field("CONTAINER_PARTIAL_ID", partial.id),
          field("CONTAINER_PARTIAL_ORDINAL", String(partial.ordinal)),
          field("CONTAINER_PARTIAL_LAST", String(partial.last)),
          ...(partial.last ? [] : [field("CONTAINER_PARTIAL_MESSAGE", "true")]),
        ]),
  ]);
}

/** `NAME=value`, or for a value with newlines its length in binary first. */
function encodeField(name: string, value: Buffer): Buffer {
  if (!value.includes(0x0a)) return Buffer.concat([Buffer.from(`${name}=`), value, Buffer.from("\n")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from("\n")]);
}

/** As Go's RFC3339Nano: without zeros at the end. */
function rfc3339(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = String(nanoseconds % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/** A name that journald takes: capital letters, digits and underscores, none of these first. */
export function journalFieldName(name: string): string {
  return name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/gu, "_")
    .replace(/^_+/, "");
}
