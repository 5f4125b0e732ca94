import { randomBytes } from "node:crypto";
import { copyFile, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  InvalidArgument,
  NotFound,
  ResourceExhausted,
  syncDirectory,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  MANIFEST_SIZE_LIMIT,
  releaseBytes,
  SMALL_BLOB_BYTES,
} from "@boxship/oci";
import type { BlobContent } from "./contract.ts";
import { hashFile } from "./hash-file.ts";

/** @throws InvalidArgument if a file is not what its descriptor says */
export async function verifyFile(descriptor: Descriptor, file: string): Promise<void> {
  const algorithm = digestAlgorithm(descriptor.digest);
  const { size, hex } = await hashFile({ path: file, algorithm });
  const digest = `${algorithm}:${hex}`;
  if (digest !== descriptor.digest || size !== descriptor.size) throw damaged(descriptor, { digest, size });
}

/** What is thrown for content that is not its descriptor's. */
export function damaged(
  { digest, size }: Descriptor,
  actual: { readonly digest: string; readonly size: number },
): InvalidArgument {
  return new InvalidArgument(
    `blob ${digest} is damaged: it has ${actual.size} bytes and the digest ${actual.digest} instead of ${size} bytes`,
    { subject: { kind: "blob", name: digest } },
  );
}

/** Whether the file of a blob is there, whole as far as its size tells. */
export async function hasFile(descriptor: Descriptor, file: string): Promise<boolean> {
  const info = await stat(file).catch(() => undefined);
  return info?.isFile() === true && info.size === descriptor.size;
}

/** Directories into which files of one image are brought: synced once, before anything names the files. */
export class FileDirectories {
  readonly #made = new Map<string, Promise<unknown>>();

  /** Makes the directory of a file where there is none. */
  async make(file: string): Promise<void> {
    const directory = dirname(file);
    const making = this.#made.get(directory) ?? mkdir(directory, { recursive: true });
    this.#made.set(directory, making);
    await making;
  }

  /** Makes all files that were brought into them, or were found there, outlive a loss of power. */
  async sync(): Promise<void> {
    const directories = new Set([...this.#made.keys()].flatMap((directory) => [directory, dirname(directory)]));
    await Promise.all([...directories].map(syncDirectory));
  }
}

export interface PlaceFile {
  readonly descriptor: Descriptor;
  readonly from: string;
  readonly to: string;
  /** It was verified and synced, and may be moved. */
  readonly owned: boolean;
  /** On the same file system. */
  readonly temporaryDirectory: string;
  readonly directories: FileDirectories;
}

/**
 * Brings a blob's file to a path, verified and synced: moved where it may be, else copied. Its directory is synced with
 * the others.
 *
 * @throws InvalidArgument if it is damaged; ResourceExhausted for a full disk
 */
export async function placeFile(place: PlaceFile): Promise<void> {
  const { descriptor, from, to, owned, temporaryDirectory, directories } = place;
  await directories.make(to);
  if (owned && (await moved(from, to))) return;
  const temporary = join(temporaryDirectory, `${basename(to)}.${randomBytes(6).toString("hex")}`);
  try {
    await copyFile(from, temporary);
    await verifyFile(descriptor, temporary);
    {
      await using file = await open(temporary, "r+");
      await file.chmod(0o644);
      await file.datasync();
    }
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(error, to);
  }
}

export interface PlaceContent extends Omit<PlaceFile, "from" | "owned"> {
  readonly content: BlobContent;
}

/** Brings a blob to a path, as {@link placeFile} does; a small one of a registry by way of memory. */
export async function placeContent({ content, ...place }: PlaceContent): Promise<void> {
  const { descriptor, to, directories } = place;
  if (content.origin !== undefined && descriptor.size <= SMALL_BLOB_BYTES) {
    const bytes = await content.origin.read();
    await directories.make(to);
    await writeFileAtomic(to, bytes, {
      mode: 0o644,
      temporaryDirectory: place.temporaryDirectory,
      leaveDirectory: true,
      writeHere: true,
    });
    releaseBytes(bytes);
  } else {
    const { path: from, owned } = await content.file();
    await placeFile({ ...place, from, owned });
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    {
      await using file = await open(from, "r");
      await file.chmod(0o644);
    }
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EXDEV") return false;
    throw fileError(error, to);
  }
}

/** Writes a small file so that it is there whole or not at all. @param temporaryDirectory @default that of the file */
export async function putBytes(path: string, bytes: Uint8Array | string, temporaryDirectory?: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, bytes, { mode: 0o644, temporaryDirectory, writeHere: true });
}

/** A small file. @throws NotFound with Go's words; InvalidArgument if it is too large */
export async function readSmallFile(path: string, limit: number = MANIFEST_SIZE_LIMIT): Promise<Buffer> {
  const info = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  if (info.size > limit)
    throw new InvalidArgument(`${path} is too large: ${info.size} bytes where ${limit} are allowed`);
  return readFile(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
}

/** A failure of the file system as one of ours. */
export function fileError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  const subject = { kind: "file", name: path };
  if (code === "ENOENT") return new NotFound(`open ${path}: no such file or directory`, { cause: error, subject });
  if (code === "ENOTDIR") return new NotFound(`open ${path}: not a directory`, { cause: error, subject });
  if (code === "EISDIR") return new InvalidArgument(`read ${path}: is a directory`, { cause: error, subject });
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new ResourceExhausted(`no space left for ${path}`, {
      cause: error,
      subject,
      remedy: "remove what is not needed any more, or choose a larger disk",
    });
  }
  return error;
}

/** Name of a blob's file in a directory. A digest is hex after its algorithm: nothing in it can be a path. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}
