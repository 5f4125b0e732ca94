import { once } from "node:events";
import type { Writable } from "node:stream";

/** Writes and waits until there is room for more. */
export async function writeAll(stream: Writable, chunk: Uint8Array | string): Promise<void> {
  if (!stream.write(chunk)) await once(stream, "drain");
}
