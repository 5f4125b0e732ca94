import type { IncomingMessage } from "node:http";
import { type Clock, DeadlineExceeded, InvalidArgument } from "@boxship/base";

/** Largest JSON body that is read; archives are streamed and have no limit. */
export const MAX_JSON_BYTES = 4 << 20;
/** A client that takes longer to send its JSON has vanished. */
const BODY_TIMEOUT_MS = 60_000;

/**
 * Reads a JSON body. @returns undefined when there is none.
 *
 * Throws `InvalidArgument` on another content type, broken JSON and on more than {@link MAX_JSON_BYTES}, and
 * `DeadlineExceeded` when the client stops sending.
 */
export async function readJson(request: IncomingMessage, clock: Clock): Promise<unknown> {
  if (request.headers["content-length"] === "0") return undefined;
  const bytes = await readAll(request, clock);
  if (bytes.length === 0) return undefined;
  requireJson(request.headers["content-type"]);
  try {
    return parseJson(bytes.toString("utf8"));
  } catch (cause) {
    throw new InvalidArgument(`invalid JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Integers that end within the last thousand below 2^63 or 2^64 are doubles of just these powers, which 64 bits do not
 * hold: they become the next smaller double, so that a decoder can tell what fits from what does not.
 */
function parseJson(text: string): unknown {
  if (!/\d{19}/.test(text)) return JSON.parse(text) as unknown;
  return JSON.parse(text, ((_key: string, value: unknown, { source }: { readonly source?: string }) => {
    if (typeof value !== "number" || source === undefined || !/^\d+$/.test(source)) return value;
    for (const power of [2 ** 63, 2 ** 64]) {
      if (value === power && BigInt(source) < BigInt(power)) return power - power / 2 ** 53;
    }
    return value;
  }) as (key: string, value: unknown) => unknown) as unknown;
}

function requireJson(type: string | undefined): void {
  const media = (type ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (media === "application/json") return;
  if (media === "") throw new InvalidArgument("malformed Content-Type header (): mime: no media type");
  throw new InvalidArgument(`unsupported Content-Type header (${type}): must be 'application/json'`);
}

/** Reads a body. Throws as {@link readJson}. */
export function readAll(request: IncomingMessage, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (error: Error | undefined) => {
      timer[Symbol.dispose]();
      request.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
      if (error === undefined)
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_JSON_BYTES) finish(new InvalidArgument(`request body is larger than ${MAX_JSON_BYTES} bytes`));
      else chunks.push(chunk);
    };
    const onEnd = () => finish(undefined);
    const onError = (cause: Error) => finish(new InvalidArgument("request body was cut off", { cause }));
    const onClose = () => finish(new InvalidArgument("request body was cut off"));
    const timer = clock.setTimeout(BODY_TIMEOUT_MS, () =>
      finish(new DeadlineExceeded("request body did not arrive in time")),
    );
    request.on("data", onData).once("end", onEnd).once("error", onError).once("close", onClose);
  });
}
