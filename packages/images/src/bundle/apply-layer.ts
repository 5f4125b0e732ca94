import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { InvalidArgument, systemCode } from "@boxship/base";
import { type Digest, decompress, extractArchive, readTar, rewriteTar, toBuffer } from "@boxship/oci";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/**
 * Applies a layer's archive to a tree: what it removes goes first, then its files come. Nothing outside of the tree is
 * touched, whatever the names and links say.
 *
 * @throws InvalidArgument if the archive is not what its diff id says, is corrupt, or leaves the tree
 */
export async function applyLayer(file: string, diffId: Digest, root: string): Promise<void> {
  for (const name of await whiteouts(file)) await remove(root, name);
  const hash = createHash("sha256");
  const archive = rewriteTar(
    hashed(content(file), hash),
    { keep: ({ name }) => !isWhiteout(baseOf(name)) },
    { entries: 0, size: 0 },
  );
  await extractArchive(root, "/", Readable.from(archive, { objectMode: false }), { wholeTree: true });
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest === diffId) return;
  throw new InvalidArgument(`a layer has the diff id ${digest}, the image's configuration says ${diffId}`);
}

function content(file: string): AsyncGenerator<Buffer> {
  return decompress(createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>);
}

async function* hashed(source: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
}

async function whiteouts(file: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { entry } of readTar(content(file))) {
    if (isWhiteout(baseOf(entry.name))) found.push(toBuffer(entry.name).toString());
  }
  return found;
}

function baseOf(name: string): string {
  const plain = name.replace(/\/+$/, "");
  return plain.slice(plain.lastIndexOf("/") + 1);
}

function isWhiteout(base: string): boolean {
  return base.startsWith(WHITEOUT);
}

/** Removes what a whiteout names, or all that lies beside an opaque one. */
async function remove(root: string, name: string): Promise<void> {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const base = parts.pop() ?? "";
  let directory = root;
  for (const part of parts) {
    directory = join(directory, part);
    if (part === ".." || !(await isDirectory(directory, name))) return;
  }
  if (base === OPAQUE) {
    for (const child of await readdir(directory)) await rm(join(directory, child), { recursive: true, force: true });
    return;
  }
  const hidden = base.slice(WHITEOUT.length);
  if (hidden === "" || hidden === "." || hidden === "..")
    throw new InvalidArgument(`whiteout ${JSON.stringify(name)} names nothing`);
  await rm(join(directory, hidden), { recursive: true, force: true });
}

/** Whether a path is a directory itself. A link on the way could lead anywhere. */
async function isDirectory(path: string, name: string): Promise<boolean> {
  try {
    const info = await lstat(path);
    if (info.isSymbolicLink()) throw new InvalidArgument(`whiteout ${JSON.stringify(name)} goes through a link`);
    return info.isDirectory();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
