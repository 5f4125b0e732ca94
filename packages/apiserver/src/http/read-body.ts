import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { badRequest, failure } from "@boxship/api";
import type { Clock } from "@boxship/base";

export type Incoming = IncomingMessage | Http2ServerRequest;

/** Bytes of a body, unpacked. */
export const LARGEST_BODY = 3 * 2 ** 20;

const unpack = promisify(gunzip);

/** How long a body may take to come: whoever sends it has a seat all the while. As upstream, whose requests last so long. */
const SLOWEST_MS = 60_000;
/** What an answer has to leave, before the connection ends whose body goes on. */
const LEAVE_MS = 1000;

/** @throws RequestEntityTooLarge, Timeout, BadRequest for what is not packed as it says */
export async function readBody(request: Incoming, clock: Clock): Promise<Buffer> {
  const announced = Number(request.headers["content-length"]);
  if (announced > LARGEST_BODY) throw tooLarge();
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  using timer = clock.setTimeout(SLOWEST_MS, () =>
    late.reject(failure("Timeout", "Timeout: request did not complete within the allotted timeout", {})),
  );
  void timer;
  const chunks: Buffer[] = [];
  let size = 0;
  // Not by `for await`, which would end the connection before the answer.
  const coming = (request as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await Promise.race([coming.next(), late.promise]);
      if (done === true) break;
      size += value.length;
      if (size > LARGEST_BODY) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    clock.setTimeout(LEAVE_MS, () => void request.destroy());
    throw error;
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
