import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { failure, isObject, type Json, parseJson, STATUS_CODES, type Status, type StatusReason } from "@boxship/api";
import { type BoxshipError, errorMessage, Unavailable } from "@boxship/base";
import type { HttpReply } from "./connection.ts";

/** A reply's body as JSON. @throws what the server answered, as an error of the closed set */
export async function readJson(reply: HttpReply): Promise<Json> {
  const text = await readText(reply);
  if (reply.status >= 200 && reply.status < 300) return parseJson(text);
  throw statusError(parsed(text), reply.status, text);
}

async function readText({ stream, headers }: HttpReply): Promise<string> {
  const chunks: Buffer[] = [];
  const collect = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) chunks.push(chunk);
  };
  try {
    if (headers["content-encoding"] === "gzip") await pipeline(stream, createGunzip(), collect);
    else await collect(stream as AsyncIterable<Buffer>);
  } catch (error) {
    throw new Unavailable(`the answer was cut: ${errorMessage(error)}`, { cause: error });
  }
  if (!stream.readableEnded || stream.aborted) throw new Unavailable("the answer was cut");
  return Buffer.concat(chunks).toString();
}

const NEWLINE = 10;

/** The lines of a reply, as JSON, as they come. @param read makes a value of a line */
export async function* readLines(stream: Readable, read = parseJson): AsyncGenerator<Json> {
  /** Of a line whose end has not come. */
  let parts: Buffer[] = [];
  const take = (last: Buffer): string => {
    const text = parts.length === 0 ? last.toString() : Buffer.concat([...parts, last]).toString();
    parts = [];
    return text.trim();
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = take(chunk.subarray(from, end));
      from = end + 1;
      if (line !== "") yield read(line);
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  }
  const line = take(Buffer.alloc(0));
  if (line !== "") yield read(line);
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

/** The error that a status stands for. */
export function statusError(value: Json | undefined, code: number, text = ""): BoxshipError {
  if (isObject(value) && value["kind"] === "Status") {
    const { message, reason, details } = value as Status;
    const known = reason !== undefined && Object.hasOwn(STATUS_CODES, reason) ? reason : reasonOf(code);
    return failure(known, message ?? `the server answered ${code}`, details);
  }
  return failure(reasonOf(code), `the server answered ${code}: ${text.slice(0, 200).trim()}`);
}

function reasonOf(code: number): StatusReason {
  const found = Object.entries(STATUS_CODES).find(([, one]) => one === code);
  if (found !== undefined) return found[0] as StatusReason;
  return code >= 500 ? "InternalError" : "BadRequest";
}
