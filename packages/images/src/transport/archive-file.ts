import { createReadStream } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { NotFound } from "@boxship/base";
import { type ContentStore, type ReadArchive, readArchive, type TarInput, writeTar } from "@boxship/oci";
import { fileError } from "./files.ts";
import { openScratch, type Scratch } from "./scratch.ts";

/** An archive whose files are in a content store of its own. */
export interface OpenArchive extends AsyncDisposable {
  readonly archive: ReadArchive;
  readonly store: ContentStore;
}

/**
 * Takes an archive apart.
 *
 * @param doing what skopeo says first where there is no file
 * @throws NotFound; InvalidArgument if it is corrupt or leaves its root
 */
export async function openArchive(source: string | AsyncIterable<Uint8Array>, doing?: string): Promise<OpenArchive> {
  const scratch = await openScratch();
  try {
    return await read(source, scratch);
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    if (typeof source !== "string") throw error;
    const failure = fileError(error, source);
    if (doing === undefined || !(failure instanceof NotFound)) throw failure;
    throw new NotFound(`${doing} ${JSON.stringify(source)}: ${failure.message}`, { cause: error });
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

/**
 * Writes an archive so that it is there whole or not at all.
 *
 * @param temporaryDirectory on the same file system
 * @throws ResourceExhausted for a full disk
 */
export async function writeArchiveFile(
  path: string,
  temporaryDirectory: string,
  inputs: AsyncIterable<TarInput>,
): Promise<void> {
  const temporary = join(temporaryDirectory, "archive.tar");
  try {
    {
      await using file = await open(temporary, "w", 0o644);
      for await (const piece of writeTar(inputs)) await file.writeFile(piece);
      await file.datasync();
    }
    await rename(temporary, path);
  } catch (error) {
    throw fileError(error, path);
  }
}
