import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openUrl } from "@boxship/oci";
import { unpackContext } from "../solver/contexts.ts";
import type { BuildSession } from "../solver/session.ts";

const ARCHIVE_TYPES = new Set(["application/x-tar", "application/x-gzip", "application/gzip", "application/zip"]);

/** Fetches what an address has: an archive becomes the context, anything else its Containerfile. */
export async function openHttpContext(session: BuildSession, url: string): Promise<string> {
  const directory = await session.directory();
  const path = join(directory, "Dockerfile");
  await using opened = await openUrl(url, { signal: session.signal });
  if (ARCHIVE_TYPES.has(opened.contentType ?? "")) return await unpackContext(session, opened.body);
  await pipeline(Readable.from(opened.body), createWriteStream(path), { signal: session.signal });
  if (!(await looksLikeArchive(path))) return directory;
  await using file = await open(path, "r");
  return await unpackContext(session, file.createReadStream());
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
