import { open } from "node:fs/promises";
import { extractArchive } from "@boxship/oci";
import type { BuildSession } from "../solver/session.ts";

/** Unpacks an archive of a context. Nothing in it can be written outside of the directory. */
export async function unpackContext(session: BuildSession, stream: AsyncIterable<Uint8Array>): Promise<string> {
  const path = await session.directory();
  await extractArchive(path, "/", stream, {}, session.signal);
  return path;
}

const MAGIC: readonly Buffer[] = ["1f8b08", "425a68", "fd377a585a00", "28b52ffd"].map((hex) => Buffer.from(hex, "hex"));

/** Whether a file is compressed, or a tar, by its first bytes. */
export async function looksLikeArchive(path: string): Promise<boolean> {
  await using file = await open(path, "r");
  if (!(await file.stat()).isFile()) return false;
  const head = Buffer.alloc(512);
  const { bytesRead } = await file.read(head, 0, 512, 0);
  if (MAGIC.some((magic) => head.subarray(0, magic.length).equals(magic))) return true;
  return bytesRead === 512 && head.subarray(257, 262).toString("latin1") === "ustar";
}
