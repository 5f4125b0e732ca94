import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Internal, Unavailable } from "@boxship/base";
import type { BlobReader, Digest } from "@boxship/oci";
import { type Call, digestArgument } from "../http/call.ts";
import { isKnown } from "../http/conditions.ts";
import type { FollowedBlob } from "../upstream/blob-downloads.ts";

/** Blobs up to this size are read at once. */
const SMALL = 64 * 1024;
/** Larger ones are sent in pieces of this size … */
const PIECE = 128 * 1024;
/** … or, where that is worth the memory, of this one, which saves the processor a third of its work. */
const LARGE_PIECE = 256 * 1024;
const LARGE = 8 * 1024 * 1024;

/** One range of bytes of a `Range` header; undefined: the whole; "none": nothing of what is there. */
export function byteRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | "none" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null) return undefined;
  const [first = "", last = ""] = match.slice(1);
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(size - 1, Number(last));
  if (start >= size || (first === "" && Number(last) === 0)) return "none";
  // A range that ends before it begins is no range, and is ignored (RFC 9110, section 14.1.1).
  return end < start ? undefined : { start, end };
}

/** `GET|HEAD /v2/{name}/blobs/{digest}` */
export async function blobGet(call: Call): Promise<void> {
  await call.allow("pull");
  const { request, response, repositories, repository } = call;
  const digest = digestArgument(call.reference);
  const coming = await call.upstreams.blob(repository, digest);
  // Who asks for the head alone wants to know whether to push it.
  if (coming === undefined && request.method === "HEAD") await repositories.askForBlob(repository, digest);
  else if (coming === undefined) await repositories.blob(repository, digest);
  else if (await follow(call, digest, coming)) return;
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000",
  };
  if (isKnown(request.headers["if-none-match"], headers.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  await using reader = await repositories.content.open(digest);
  const { size } = reader;
  // Ranges are of what is fetched (RFC 9110, section 14.2).
  const range = request.method === "HEAD" ? undefined : byteRange(request.headers.range, size);
  if (range === "none") {
    response.writeHead(416, { "content-range": `bytes */${size}`, "content-length": "0" }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const length = end - start + 1;
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    "content-length": String(length),
    ...(range !== undefined && { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  await call.tell({ action: "pull", digest, mediaType: headers["content-type"], size });
  if (length <= SMALL) response.end(await reader.read(start, length));
  else await pump(reader, start, length, response);
}

/** Passes a blob on while it arrives. @returns false where it is whole, and to be served as any other */
async function follow(call: Call, digest: Digest, coming: FollowedBlob): Promise<boolean> {
  const { request, response } = call;
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "content-length": String(coming.size),
  };
  if (request.method === "HEAD") {
    response.writeHead(200, headers).end();
    return true;
  }
  using reader = request.headers.range === undefined ? await coming.reader() : undefined;
  if (reader === undefined) {
    await coming.whole;
    return false;
  }
  response.writeHead(200, headers);
  await pipeline(Readable.from(reader.chunks(), { objectMode: true }), response);
  await call.tell({ action: "pull", digest, mediaType: headers["content-type"], size: coming.size });
  return true;
}

/** By one buffer, which is used again when what was in it is on its way: many may do this at once. */
async function pump(reader: BlobReader, start: number, length: number, response: ServerResponse): Promise<void> {
  const piece = length > LARGE ? LARGE_PIECE : PIECE;
  const buffer = Buffer.allocUnsafeSlow(piece);
  for (let done = 0; done < length; ) {
    const wanted = buffer.subarray(0, Math.min(piece, length - done));
    const size = await reader.readInto(wanted, start + done);
    if (size === 0) throw new Internal(`blob ${reader.digest} is shorter than it was`);
    await written(response, wanted.subarray(0, size));
    done += size;
  }
  response.end();
}

/** Resolves when the bytes are needed no more. @throws where the client is gone */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((done, fail) => {
    if (response.destroyed) {
      fail(new Unavailable("the client is gone"));
      return;
    }
    response.write(bytes, (error) => (error ? fail(error) : done()));
  });
}
