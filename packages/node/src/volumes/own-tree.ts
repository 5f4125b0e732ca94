import { readdir } from "node:fs/promises";
import { systemCode } from "@boxship/base";
import {
  AtFlag,
  CurrentDirectory,
  descriptorPath,
  type Fd,
  FileType,
  fchmod,
  fchownat,
  fstat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
} from "@boxship/kernel";

const UNCHANGED = 0xffff_ffff;
const PERMISSIONS = 0o7777;
const FILE = 0o060;
/** Files that are made in it are the group's. */
const DIRECTORY = 0o2070;
/** Entries after which others get their turn. */
const STEP = 200;
const INSIDE = ResolveFlag.Beneath | ResolveFlag.NoSymlinks | ResolveFlag.NoMagiclinks;

/**
 * Makes everything below a directory a group's, to read and to write; what is made later is the group's, too. No link is
 * followed, whoever exchanges what for a link meanwhile.
 *
 * @param onMismatch only where the directory itself is not the group's yet
 */
export async function ownTree(root: string, group: number, onMismatch: boolean): Promise<void> {
  using top = openat(CurrentDirectory, root, OpenFlag.Path | OpenFlag.Directory);
  const { gid, mode } = fstat(top);
  if (onMismatch && gid === group && (mode & DIRECTORY) === DIRECTORY) return;
  let seen = 0;
  const left: Buffer[] = [Buffer.from(".")];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    using directory = openInside(top, path, OpenFlag.Directory);
    if (directory === undefined) continue;
    for (const name of await readdir(descriptorPath(directory), { encoding: "buffer" })) {
      if (++seen % STEP === 0) await new Promise((resolve) => setImmediate(resolve));
      using entry = openInside(directory, name, OpenFlag.NoFollow);
      if (entry === undefined) continue;
      if (own(entry, group) === FileType.Directory) left.push(Buffer.concat([path, Buffer.from("/"), name]));
    }
  }
  // At last: who is cut off before it begins anew.
  own(top, group);
}

/** Undefined for what is gone, or has become something else. */
function openInside(directory: Fd, path: Buffer, flags: number): Fd | undefined {
  try {
    return openat2(directory, path, { flags: OpenFlag.Path | flags, resolve: INSIDE });
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** @returns what it is, as `st_mode` says it */
function own(entry: Fd, group: number): number {
  const { mode } = fstat(entry);
  const type = mode & FileType.Mask;
  fchownat(entry, "", UNCHANGED, group, AtFlag.EmptyPath);
  if (type === FileType.Directory) fchmod(entry, (mode & PERMISSIONS) | DIRECTORY);
  if (type === FileType.Regular) fchmod(entry, (mode & PERMISSIONS) | FILE | ((mode & 0o100) >> 3));
  return type;
}
