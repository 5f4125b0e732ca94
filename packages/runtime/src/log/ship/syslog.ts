import { hostname } from "node:os";
import type { ConnectionOptions } from "node:tls";
import { type Clock, systemCode, Unavailable } from "@boxship/base";
import type { ConnectLog, LogConnection, LogMessage } from "./contract.ts";
import { connectDatagram, type DatagramAddress } from "./datagram-connection.ts";
import { type StreamAddress, StreamConnection } from "./stream-connection.ts";

export type SyslogFormat = "" | "rfc3164" | "rfc5424" | "rfc5424micro";

export type SyslogAddress =
  | { readonly protocol: "local" }
  | { readonly protocol: "unix" | "unixgram"; readonly path: string }
  | { readonly protocol: "udp" | "tcp"; readonly host: string; readonly port: number }
  | { readonly protocol: "tcp+tls"; readonly host: string; readonly port: number; readonly tls: ConnectionOptions };

export interface SyslogOptions {
  readonly address: SyslogAddress;
  /** 0 to 23. */
  readonly facility: number;
  /** `""` is that of local sockets: RFC 3164 without a host. */
  readonly format: SyslogFormat;
  readonly tag: string;
  readonly clock: Clock;
}

const ERROR = 3;
const INFO = 6;
const LOCAL_SOCKETS = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/** RFC 3164 and RFC 5424 over UDP (RFC 5426), TCP, TLS (RFC 5425) and unix sockets, as Docker writes them. */
export function syslogTarget(options: SyslogOptions): ConnectLog {
  const { address } = options;
  switch (address.protocol) {
    case "udp":
      return () => datagrams(options, address);
    case "unixgram":
      return () => datagrams(options, address);
    case "tcp":
    case "tcp+tls":
      return (signal) => stream(options, address, signal);
    case "unix":
      return (signal) => eitherKind(options, address.path, signal);
    case "local":
      return (signal) => local(options, signal);
  }
}

async function datagrams(options: SyslogOptions, address: DatagramAddress): Promise<LogConnection> {
  const connection = await connectDatagram(address, options.clock);
  return {
    get open() {
      return connection.open;
    },
    async send(messages) {
      for (const message of messages) {
        if (message.text.length > 0) await connection.send(encodeSyslog(message, options));
      }
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function stream(options: SyslogOptions, address: StreamAddress, signal: AbortSignal): Promise<LogConnection> {
  const connection = await StreamConnection.connect(address, signal);
  // RFC 5425 counts the bytes of each message. Docker's older format goes without, on TLS too.
  const counted = options.address.protocol === "tcp+tls" && options.format.startsWith("rfc5424");
  return {
    get open() {
      return connection.open;
    },
    async send(messages) {
      const packets = messages.filter(({ text }) => text.length > 0).map((message) => encodeSyslog(message, options));
      if (packets.length === 0) return;
      const parts = counted ? packets.flatMap((packet) => [Buffer.from(`${packet.length} `), packet]) : packets;
      await connection.write(Buffer.concat(parts));
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** The address does not say which kind of socket it is. */
async function eitherKind(options: SyslogOptions, path: string, signal: AbortSignal): Promise<LogConnection> {
  try {
    return await datagrams(options, { path });
  } catch (error) {
    if (systemCode(error) !== "EPROTOTYPE") throw error;
    return await stream(options, { path }, signal);
  }
}

async function local(options: SyslogOptions, signal: AbortSignal): Promise<LogConnection> {
  for (const path of LOCAL_SOCKETS) {
    try {
      return await eitherKind(options, path, signal);
    } catch {
      // The next may be there.
    }
  }
  throw new Unavailable(`no syslog server listens on this host: tried ${LOCAL_SOCKETS.join(", ")}`, {
    remedy: "name one with --log-opt syslog-address=…",
  });
}

/** One message with the newline at its end that every server expects. */
export function encodeSyslog(message: LogMessage, { facility, format, tag }: SyslogOptions): Buffer {
  const priority = facility * 8 + (message.stream === "stderr" ? ERROR : INFO);
  const date = new Date(Number(message.time / 1_000_000n));
  const head = headOf(format, { priority, date, micros: message.time / 1000n, tag });
  const end = message.text.at(-1) === 0x0a ? "" : "\n";
  return Buffer.concat([Buffer.from(head), message.text, Buffer.from(end)]);
}

interface Head {
  readonly priority: number;
  readonly date: Date;
  readonly micros: bigint;
  readonly tag: string;
}

function headOf(format: SyslogFormat, { priority, date, micros, tag }: Head): string {
  const { pid } = process;
  switch (format) {
    case "":
      return `<${priority}>${stamp(date)} ${tag}[${pid}]: `;
    case "rfc3164":
      return `<${priority}>${stamp(date)} ${hostname()} ${tag}[${pid}]: `;
    case "rfc5424":
      return `<${priority}>1 ${localTime(date, "")} ${hostname()} ${tag} ${pid} ${tag} - `;
    case "rfc5424micro": {
      const fraction = `.${String(micros % 1_000_000n).padStart(6, "0")}`;
      return `<${priority}>1 ${localTime(date, fraction)} ${hostname()} ${tag} ${pid} ${tag} - `;
    }
  }
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number: number): string => String(number).padStart(2, "0");

/** `Jan  2 15:04:05` in local time. */
function stamp(date: Date): string {
  const day = String(date.getDate()).padStart(2);
  return `${MONTHS[date.getMonth()]} ${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** RFC 3339 with the local zone. */
function localTime(date: Date, fraction: string): string {
  const offset = -date.getTimezoneOffset();
  const shown = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${shown}${fraction}Z`;
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${shown}${fraction}${offset < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
}
