import type { ServerResponse } from "node:http";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { encodeProtobuf, type JsonObject, messageFor, parseJson } from "@boxship/api";
import { nextTurn } from "@boxship/base";
import { type Accept, PROTOBUF } from "./accept.ts";
import { writeLargeYaml } from "./large-yaml.ts";
import { LARGE_YAML } from "./parse-body.ts";
import type { BytesReply } from "./reply.ts";

/** Of HTTP/1.1 or, with the same methods, of HTTP/2. */
export type Outgoing = ServerResponse;

/** Shorter answers are sent as they are: packing costs more than it saves. */
const PACKED_FROM = 128 * 1024;

const pack = promisify(gzip);

export interface SendOptions {
  readonly head: boolean;
  readonly gzip: boolean;
  /** What JSON is turned into, where that can be. */
  readonly encoding: Accept["encoding"];
  readonly warnings: readonly string[];
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @returns undefined where it has been handed over already */
export function sendReply(response: Outgoing, reply: BytesReply, options: SendOptions): Promise<void> | undefined {
  const isEncoded =
    options.encoding !== "json" && reply.contentType === "application/json" && reply.mayBeYaml !== false;
  const size = sizeOf(reply.body);
  if (isEncoded || (options.gzip && size >= PACKED_FROM)) return sendOther(response, reply, { ...options, isEncoded });
  const headers = headersOf(reply, options);
  if (reply.status !== 304) headers["content-length"] = String(size);
  hand(response, reply.status, headers, options.head ? undefined : reply.body);
  return undefined;
}

/** In another form than it was made in. */
async function sendOther(
  response: Outgoing,
  reply: BytesReply,
  options: SendOptions & { readonly isEncoded: boolean },
): Promise<void> {
  const headers = headersOf(reply, options);
  let { body } = reply;
  if (options.isEncoded && options.encoding !== "json") {
    const other = await encoded(body, options.encoding);
    if (other !== undefined) {
      body = [other];
      headers["content-type"] = options.encoding === "yaml" ? "application/yaml" : PROTOBUF;
    }
  }
  if (options.gzip && sizeOf(body) >= PACKED_FROM && headers["content-encoding"] === undefined) {
    body = [await pack(Buffer.concat(body), { level: constants.Z_BEST_SPEED })];
    headers["content-encoding"] = "gzip";
    headers["vary"] = "Accept-Encoding";
  }
  if (reply.status !== 304) headers["content-length"] = String(sizeOf(body));
  hand(response, reply.status, headers, options.head ? undefined : body);
}

type Headers = Record<string, string | string[]>;

function headersOf(reply: BytesReply, { headers: always, warnings }: SendOptions): Headers {
  const headers: Headers = { ...always };
  headers["cache-control"] = "no-cache, private";
  headers["content-type"] = reply.contentType;
  if (reply.headers !== undefined) Object.assign(headers, reply.headers);
  if (warnings.length > 0) headers["warning"] = shortened(warnings).map(warningHeader);
  return headers;
}

function hand(response: Outgoing, status: number, headers: Headers, body: readonly Uint8Array[] | undefined): void {
  if (response.destroyed) return;
  response.writeHead(status, headers);
  if (body === undefined) response.end();
  else writeParts(response, body);
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0;
  for (const part of parts) size += part.length;
  return size;
}

/** @returns undefined for what has no other form */
async function encoded(body: readonly Uint8Array[], encoding: "yaml" | "protobuf"): Promise<Uint8Array | undefined> {
  if (encoding === "yaml" && sizeOf(body) > LARGE_YAML) return await writeLargeYaml(body);
  if (encoding === "yaml") return (await import("./to-yaml.ts")).toYaml(body);
  const object = parseJson(Buffer.concat(body).toString()) as JsonObject;
  if (sizeOf(body) > PACKED_FROM) await nextTurn();
  const message = messageFor(object);
  return message === undefined ? undefined : encodeProtobuf(message, object);
}

/** Many small parts become few large ones. */
const CHUNK = 256 * 1024;

function writeParts(response: Outgoing, parts: readonly Uint8Array[]): void {
  if (parts.length === 1 && parts[0] !== undefined) {
    response.end(parts[0]);
    return;
  }
  let [from, size] = [0, 0];
  for (let at = 0; at < parts.length; at++) {
    size += parts[at]?.length ?? 0;
    if (size < CHUNK) continue;
    response.write(Buffer.concat(parts.slice(from, at + 1)));
    [from, size] = [at + 1, 0];
  }
  response.end(Buffer.concat(parts.slice(from)));
}

/** Characters of all warnings together, and of each of more. */
const MOST_WARNED = 4096;
const MOST_OF_ONE = 256;

/** Each once; of more than clients take as headers, the beginnings of the first. */
function shortened(warnings: readonly string[]): readonly string[] {
  const all = [...new Set(warnings)].filter((text) => text !== "");
  if (all.reduce((sum, text) => sum + text.length, 0) <= MOST_WARNED) return all;
  return all.map((text) => text.slice(0, MOST_OF_ONE)).slice(0, MOST_WARNED / MOST_OF_ONE);
}

/** RFC 7234 5.5, code 299, as clients of Kubernetes read it. */
function warningHeader(text: string): string {
  const clean = text.replace(/[^ -~]/g, " ");
  return `299 - ${JSON.stringify(clean)}`;
}
