import { createReadStream, type Stats } from "node:fs";
import { glob, lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, join, normalize, posix } from "node:path";
import { Readable } from "node:stream";
import { byteSlice, bytesOf, type TarEntryInit, type TarInput, tarEntry, writeTar } from "@boxship/oci/tar";
import { PlainRefusal, Refusal } from "../../failure.ts";
import type { Sink } from "../../io.ts";
import type { Session } from "../../session.ts";
import type { CopyFlags, ExecAt } from "./cp.ts";
import type { FileSpec } from "./file-spec.ts";

export interface Copy {
  readonly from: FileSpec;
  readonly to: FileSpec;
  readonly flags: CopyFlags;
}

const NOWHERE: Sink = { write: (_data, taken) => taken?.() };

/** Packs what is here, and has the container's own `tar` unpack it. @throws Refusal, PlainRefusal with tar's status */
export async function copyToPod(session: Session, exec: ExecAt, { from, to, flags }: Copy): Promise<void> {
  try {
    await stat(from.path);
  } catch {
    throw new Refusal(`${from.path} doesn't exist in local filesystem`);
  }
  const isDirectory = await succeeds(exec(["test", "-d", to.path], { stdout: NOWHERE, stderr: NOWHERE }));
  const target = isDirectory ? posix.join(to.path, basename(from.path)) : posix.normalize(to.path);
  const preserve = flags["no-preserve"] ? ["--no-same-permissions", "--no-same-owner"] : [];
  const command = ["tar", ...preserve, "-xmf", "-", "-C", posix.dirname(target)];
  const packing = Readable.from(writeTar(membersOf(normalize(from.path), posix.basename(target))), {
    objectMode: false,
  });
  const failed = new Promise<never>((_resolve, reject) => void packing.once("error", reject));
  const left = new AbortController();
  try {
    const { stdout, stderr } = session.io;
    await Promise.race([failed, exec(command, { stdin: packing, stdout, stderr, signal: left.signal })]);
  } finally {
    left.abort();
    packing.destroy();
  }
}

async function succeeds(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    // It ran, and said no. What else is wrong is told by the command that follows.
    if (error instanceof PlainRefusal || error instanceof Refusal) return false;
    throw error;
  }
}

/** Files below a path; directories only where nothing is in them: `tar` makes the others. @param name in the archive */
async function* membersOf(path: string, name: string): AsyncGenerator<TarInput> {
  for await (const found of matches(path)) {
    const about = await lstat(found);
    if (about.isDirectory()) {
      const inside = (await readdir(found)).sort();
      if (inside.length === 0) yield { entry: entryOf(name, "directory", about) };
      for (const below of inside) yield* membersOf(join(found, below), posix.join(name, below));
    } else if (about.isSymbolicLink()) {
      const target = await readlink(found, { encoding: "buffer" });
      const linkName = byteSlice(target, 0, target.length);
      yield { entry: entryOf(name, "symlink", about, { linkName }) };
    } else if (about.isFile()) {
      const body = about.size === 0 ? [] : createReadStream(found, { end: about.size - 1 });
      yield { entry: entryOf(name, "file", about, { size: about.size }), body: body as AsyncIterable<Uint8Array> };
    } else throw new Refusal(`${found} is neither a file nor a directory nor a link: it cannot be copied`);
  }
}

/** A path is a pattern, unless something of just this name exists. */
async function* matches(path: string): AsyncGenerator<string> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  if (isThere) yield path;
  else yield* glob(path);
}

function entryOf(name: string, type: TarEntryInit["type"], about: Stats, more: Partial<TarEntryInit> = {}) {
  return tarEntry({
    type,
    name: bytesOf(name),
    mode: about.mode & 0o7777,
    uid: about.uid,
    gid: about.gid,
    mtime: Math.floor(about.mtimeMs / 1000),
    ...more,
  });
}
