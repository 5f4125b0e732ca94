import type { ServerResponse } from "node:http";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { encodeProtobuf, type JsonObject, messageFor, parseJson } from "@boxship/api";
import { type Accept, PROTOBUF } from "./accept.ts";
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
}

export async function sendReply(response: Outgoing, reply: BytesReply, options: SendOptions): Promise<void> {
  const headers: Record<string, string | string[]> = {
    "cache-control": "no-cache, private",
    "content-type": reply.contentType,
    ...reply.headers,
  };
  if (options.warnings.length > 0) headers["warning"] = options.warnings.map(warningHeader);
  let { body } = reply;
  if (options.encoding !== "json" && reply.contentType === "application/json" && reply.mayBeYaml !== false) {
    const other = await encoded(body, options.encoding);
    if (other !== undefined) {
      body = [other];
      headers["content-type"] = options.encoding === "yaml" ? "application/yaml" : PROTOBUF;
    }
  }
  let size = body.reduce((sum, part) => sum + part.length, 0);
  if (options.gzip && size >= PACKED_FROM && headers["content-encoding"] === undefined) {
    body = [await pack(Buffer.concat(body), { level: constants.Z_BEST_SPEED })];
    size = body[0]?.length ?? 0;
    headers["content-encoding"] = "gzip";
    headers["vary"] = "Accept-Encoding";
  }
  if (reply.status !== 304) headers["content-length"] = String(size);
  if (response.destroyed) return;
  response.writeHead(reply.status, headers);
  if (options.head) {
    response.end();
    return;
  }
  writeParts(response, body);
}

/** @returns undefined for what has no other form */
async function encoded(body: readonly Uint8Array[], encoding: "yaml" | "protobuf"): Promise<Buffer | undefined> {
  if (encoding === "yaml") return (await import("./to-yaml.ts")).toYaml(body);
  const object = parseJson(Buffer.concat(body).toString()) as JsonObject;
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

/** RFC 7234 5.5, code 299, as clients of Kubernetes read it. */
function warningHeader(text: string): string {
  const clean = text.replace(/[^ -~]/g, " ");
  return `299 - ${JSON.stringify(clean)}`;
}
