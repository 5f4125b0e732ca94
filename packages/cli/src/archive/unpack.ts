import { createWriteStream } from "node:fs";
import { chmod, link, lstat, mkdir, readlink, realpath, rm, symlink, utimes } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { systemCode } from "@boxship/base/errors";
import { type ByteString, readTar, type TarEntry, type TarMember, toText } from "@boxship/oci/tar";
import { Failure } from "../failure.ts";
import { type CopyEnd, type CopyPlan, renameEntry } from "./copy-plan.ts";
import { splitPath } from "./paths.ts";

async function statOrUndefined(path: string | Buffer) {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A path without links, or as it is where there is nothing. */
async function realpathOrSame(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return path;
    throw error;
  }
}

/** Links that are followed before a path counts as a loop. */
const MAX_LINKS = 10;

/** What a local destination is; links at its end are followed, because the target is meant. */
export async function destinationInfo(path: string): Promise<CopyEnd> {
  let current = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const stats = await statOrUndefined(current.replace(/\/\.?$/, "") || "/");
    if (stats === undefined) {
      const { directory } = splitPath(current);
      const parent = await statOrUndefined(await realpathOrSame(directory));
      if (parent === undefined) {
        throw new Failure(`invalid output path: directory ${JSON.stringify(directory)} does not exist`);
      }
      if (!parent.isDirectory()) throw new Failure(`${directory} is not a directory`);
      return { path: current, exists: false, isDirectory: false };
    }
    if (path.endsWith("/") && !stats.isDirectory() && !stats.isSymbolicLink()) {
      throw new Failure(`stat ${path}: not a directory`);
    }
    if (!stats.isSymbolicLink()) return { path: current, exists: true, isDirectory: stats.isDirectory() };
    const { directory } = splitPath(current);
    current = resolve(directory, await readlink(current.replace(/\/\.?$/, "")));
  }
  throw new Failure(`too many symlinks in ${path}`);
}

const bytes = (name: string): Buffer => Buffer.from(name, "latin1");

/** Unpacks archives below one directory, and never outside of it, whatever names and links they hold. */
class Unpacker {
  /** Without a slash at its end: empty for the root. */
  readonly #root: ByteString;
  readonly #plan: CopyPlan;
  readonly #times: (() => Promise<void>)[] = [];
  /** Bytes of files written so far. */
  written = 0;

  constructor(root: Buffer, plan: CopyPlan) {
    this.#root = root.toString("latin1").replace(/\/$/, "") as ByteString;
    this.#plan = plan;
  }

  /** The place of a name: below the root, and its parent really there, not by way of a link. */
  async #place(name: ByteString): Promise<Buffer> {
    const parts = renameEntry(name, this.#plan)
      .split("/")
      .filter((part) => part !== "" && part !== ".");
    const refuse = (why: string) => new Failure(`refusing to unpack ${JSON.stringify(toText(name))}: ${why}`);
    if (parts.includes("..")) throw refuse("it leads out of the destination");
    if (parts.length === 0) return bytes(this.#root === "" ? "/" : this.#root);
    const above = bytes([this.#root, ...parts.slice(0, -1)].join("/") || "/");
    await mkdir(above, { recursive: true });
    const parent = (await realpath(above, { encoding: "buffer" })).toString("latin1");
    if (parent !== this.#root && !parent.startsWith(`${this.#root}/`))
      throw refuse("a link leads out of the destination");
    return bytes([this.#root, ...parts].join("/"));
  }

  async add({ entry, body }: TarMember): Promise<void> {
    const place = await this.#place(entry.name);
    const before = await statOrUndefined(place);
    if (entry.type === "directory") {
      if (before !== undefined && !before.isDirectory()) throw overwrite("non-directory", place, "directory");
      if (before === undefined) await mkdir(place);
    } else {
      if (before?.isDirectory()) throw overwrite("directory", place, "non-directory");
      if (before !== undefined) await rm(place);
      await this.#create(entry, place, body);
    }
    if (entry.type === "symlink" || entry.type === "link") return;
    await chmod(place, entry.mode);
    const time = entry.mtime + entry.mtimeNanoseconds / 1e9;
    // What is put into a directory later changes its time.
    if (entry.type === "directory") this.#times.push(() => utimes(place, time, time));
    else await utimes(place, time, time);
  }

  async #create(entry: TarEntry, place: Buffer, body: TarMember["body"]): Promise<void> {
    switch (entry.type) {
      case "file":
        await pipeline(body, createWriteStream(place, { flags: "wx", mode: 0o600 }));
        this.written += entry.size;
        return;
      case "symlink":
        return symlink(bytes(entry.linkName), place);
      case "link": {
        const target = await this.#place(entry.linkName);
        if ((await lstat(target)).isSymbolicLink())
          throw new Failure(`refusing to link to ${target.toString()}: it is a symlink`);
        return link(target, place);
      }
      case "directory":
        return;
      case "character":
      case "block":
      case "fifo":
        return makeNode(entry, entry.type, place);
    }
  }

  async finish(): Promise<void> {
    for (const set of this.#times.reverse()) await set();
  }
}

const NODES = { character: "Character", block: "Block", fifo: "Fifo" } as const;

/** Loaded when there is one: it is rare, and the command line starts without system calls of its own. */
async function makeNode(entry: TarEntry, type: keyof typeof NODES, place: Buffer): Promise<void> {
  const { CurrentDirectory, FileType, makeDevice, mknodat } = await import("@boxship/kernel");
  try {
    const device = makeDevice(entry.deviceMajor, entry.deviceMinor);
    mknodat(CurrentDirectory, place, FileType[NODES[type]] | 0o600, device);
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw error;
    throw new Failure(`cannot copy ${toText(entry.name)}: only root may make a ${type} device`, {
      remedy: "copy to - and unpack the archive with tar, as root",
      cause: error,
    });
  }
}

function overwrite(what: string, place: Buffer, by: string): Failure {
  return new Failure(`cannot overwrite ${what} ${JSON.stringify(place.toString())} with ${by}`);
}

/**
 * Unpacks an archive into a directory, its names changed as planned. Files belong to whoever runs this.
 *
 * @returns bytes of files written
 * @throws Failure for a member that would leave the directory, or that cannot be made
 */
export async function unpackInto(
  archive: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  plan: CopyPlan,
): Promise<number> {
  const unpacker = new Unpacker(await realpath(plan.directory, { encoding: "buffer" }), plan);
  for await (const member of readTar(archive)) await unpacker.add(member);
  await unpacker.finish();
  return unpacker.written;
}
