import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { InvalidArgument, ResourceExhausted, Unsupported } from "@boxship/base";
import { decompress, extractArchive, readTar } from "@boxship/oci";
import type { BuildSession } from "../solver/session.ts";

/** Unpacks an archive of a context. Nothing in it can be written outside of the directory. */
export async function unpackContext(session: BuildSession, stream: AsyncIterable<Uint8Array>): Promise<string> {
  const path = await session.directory();
  await extractArchive(path, "/", stream, {}, session.signal);
  return path;
}

/** In what an archive must show that it is one: before its first entry there may be headers for all of them. */
const LOOKED_AT = 4 << 20;

/**
 * Whether a file, compressed or not, is a tar: has a first entry. Others, a compressed dump for one, are files like any
 * other, as with Docker.
 */
export async function looksLikeArchive(path: string): Promise<boolean> {
  if (!(await stat(path)).isFile()) return false;
  try {
    for await (const _first of readTar(beginning(path))) return true;
  } catch (error) {
    if (!(error instanceof InvalidArgument || error instanceof Unsupported || error instanceof ResourceExhausted))
      throw error;
  }
  return false;
}

async function* beginning(path: string): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const piece of decompress(createReadStream(path), { foreign: true })) {
    yield piece;
    length += piece.length;
    if (length >= LOOKED_AT) return;
  }
}
