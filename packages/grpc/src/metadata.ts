import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { Init } from "./message.ts";
import { Code, type Status } from "./status.ts";
import { RpcStatus } from "./well-known.ts";

/** Metadata of a call: lower-case names, each with its values in order. Binary ones (`-bin`) are not used here. */
export type Metadata = Readonly<Record<string, readonly string[]>>;

/** Largest `grpc-message`; the rest of a longer one would not fit into the trailers that clients take. */
const MAX_MESSAGE_BYTES = 6000;

/** Percent-encoding of `grpc-message`: everything but printable ASCII, and `%` itself. */
export function encodeMessage(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text, "utf8").subarray(0, MAX_MESSAGE_BYTES)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** The reverse of {@link encodeMessage}; what is not an escape stays. */
export function decodeMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const escape = text[index] === "%" ? /^[0-9a-f]{2}/i.exec(text.slice(index + 1, index + 3)) : null;
    if (escape === null) bytes.push(...Buffer.from(text.charAt(index)));
    else {
      bytes.push(Number.parseInt(escape[0], 16));
      index += 2;
    }
  }
  return Buffer.from(bytes).toString("utf8");
}

/** Trailers that say how a call ended. */
export function statusTrailers(status: Init<Status>): OutgoingHttpHeaders {
  const trailers: OutgoingHttpHeaders = { "grpc-status": String(status.code ?? 0) };
  if (status.message !== undefined && status.message !== "") trailers["grpc-message"] = encodeMessage(status.message);
  if ((status.details ?? []).length > 0)
    trailers["grpc-status-details-bin"] = Buffer.from(RpcStatus.encode(status)).toString("base64");
  return trailers;
}

/** How a call ended, from trailers or from an answer that has no body; undefined when they do not say. */
export function readStatus(headers: IncomingHttpHeaders): Init<Status> | undefined {
  const code = headers["grpc-status"];
  if (typeof code !== "string") return undefined;
  const message = headers["grpc-message"];
  const number = /^\d{1,2}$/.test(code) ? Number(code) : Code.unknown;
  return { code: number, message: typeof message === "string" ? decodeMessage(message) : "" };
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** `grpc-timeout` in milliseconds, at least one; undefined when there is none or it is malformed. */
export function readTimeout(headers: IncomingHttpHeaders): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(headers["grpc-timeout"] ?? ""));
  if (match === null) return undefined;
  return Math.max(1, Math.ceil(Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1)));
}

const RESERVED = /^(?::|grpc-|te$|content-type$|user-agent$|connection$)/;

/** A call's metadata without what belongs to gRPC and HTTP. */
export function readMetadata(headers: IncomingHttpHeaders): Metadata {
  const metadata: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || RESERVED.test(name)) continue;
    metadata[name] = Array.isArray(value) ? value : value.split(", ");
  }
  return metadata;
}
