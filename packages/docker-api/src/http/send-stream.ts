import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ApiCall } from "./call.ts";

/**
 * Sends a stream as the answer, at the client's pace. When the client goes away the stream is destroyed; when the
 * stream fails the connection is cut, so that the client does not take what it has for the whole.
 */
export async function sendStream(
  call: ApiCall,
  stream: Readable,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { response } = call;
  if (response.destroyed) {
    stream.destroy();
    return;
  }
  response.writeHead(200, headers);
  try {
    await pipeline(stream, response, { signal: call.signal });
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
}
