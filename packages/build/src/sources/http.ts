import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openUrl } from "@boxship/oci";
import type { BuildSession } from "../solver/session.ts";
import { looksLikeArchive, unpackContext } from "./archive.ts";

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
