import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { type ContentStore, type ReadArchive, readArchive, type TarInput, writeTar } from "@boxship/oci";
import { fileError } from "./files.ts";
import { openScratch, type Scratch } from "./scratch.ts";

/** An archive whose files are in a content store of its own. */
export interface OpenArchive extends AsyncDisposable {
  readonly archive: ReadArchive;
  readonly store: ContentStore;
}

/** Takes an archive apart. @throws NotFound; InvalidArgument if it is corrupt or leaves its root */
export async function openArchive(source: string | AsyncIterable<Uint8Array>): Promise<OpenArchive> {
  const scratch = await openScratch();
  try {
    return await read(source, scratch);
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw typeof source === "string" ? fileError(error, source) : error;
  }
}

async function read(source: string | AsyncIterable<Uint8Array>, scratch: Scratch): Promise<OpenArchive> {
  const { store } = scratch;
  if (typeof source === "string") await stat(source);
  const bytes = typeof source === "string" ? createReadStream(source, { highWaterMark: 1 << 20 }) : source;
  // The scratch store is never swept.
  const archive = await readArchive({ archive: bytes, store, lease: store.lease() });
  return { archive, store, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
}

/** Writes an archive so that it is there whole or not at all. @throws ResourceExhausted for a full disk */
export async function writeArchiveFile(path: string, inputs: AsyncIterable<TarInput>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    {
      await using file = await open(temporary, "wx", 0o644);
      for await (const piece of writeTar(inputs)) await file.writeFile(piece);
      await file.datasync();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(error, path);
  }
}
