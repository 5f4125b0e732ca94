import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Context } from "../context.ts";
import { writeAll } from "../stream/write-all.ts";

/**
 * Writes a stream to a file, which appears when it is whole; to standard output when `path` is empty or `-`. A path that
 * is no file but a device or a pipe is written to as it is.
 */
export async function writeOutput(context: Context, body: Readable, path: string): Promise<void> {
  if (path === "" || path === "-") {
    for await (const chunk of body) await writeAll(context.stdout, chunk as Buffer);
    return;
  }
  const existing = await stat(path).catch(() => undefined);
  if (existing !== undefined && !existing.isFile()) {
    await pipeline(body, createWriteStream(path));
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await pipeline(body, createWriteStream(temporary, { flags: "wx" }));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
