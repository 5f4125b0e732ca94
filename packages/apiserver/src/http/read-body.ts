import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { badRequest, failure } from "@boxship/api";

export type Incoming = IncomingMessage | Http2ServerRequest;

/** Bytes of a body, unpacked. */
export const LARGEST_BODY = 3 * 2 ** 20;

const unpack = promisify(gunzip);

/** @throws RequestEntityTooLarge, BadRequest for what is not packed as it says */
export async function readBody(request: Incoming): Promise<Buffer> {
  const announced = Number(request.headers["content-length"]);
  if (announced > LARGEST_BODY) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return body;
  if (encoding !== "gzip") throw failure("UnsupportedMediaType", `content encoding ${encoding} is not supported`);
  try {
    return await unpack(body, { maxOutputLength: LARGEST_BODY });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
    throw badRequest("the body is not gzip, as its Content-Encoding says");
  }
}

function tooLarge() {
  return failure("RequestEntityTooLarge", `Request entity too large: limit is ${LARGEST_BODY}`);
}
