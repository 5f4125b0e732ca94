import { posix } from "node:path";
import { systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  CurrentDirectory,
  type Fd,
  FileType,
  fstat,
  futimens,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  statx,
  unlinkat,
} from "@boxship/kernel";
import { findDirectory } from "./directories.ts";
import { openTree } from "./selection.ts";

/** Places of a container's root that something will be mounted on, and that are not there yet. */
export interface MountStub {
  /** Absolute in the root. */
  readonly path: string;
  /** The nearest directory above that is there, and when it was changed: nanoseconds since the epoch. */
  readonly above: string;
  readonly aboveMtime: bigint;
}

/**
 * Notes which mount points the runtime will make in a root. They are no work of the command that is run, so they are
 * taken away afterwards ({@link removeStubs}).
 */
export function findStubs(rootPath: string, mountPoints: readonly string[]): readonly MountStub[] {
  using root = openTree(rootPath);
  const stubs = new Map<string, MountStub>();
  for (const point of mountPoints) {
    const parts = posix.resolve("/", point).split("/").slice(1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = `/${parts.slice(0, depth).join("/")}`;
      if (path === "/" || isThere(root, path)) continue;
      const above = aboveOf(root, path);
      if (!stubs.has(path)) stubs.set(path, { path, ...above });
    }
  }
  return [...stubs.values()];
}

function isThere(root: Fd, path: string): boolean {
  try {
    using _place = openat2(root, path, {
      flags: OpenFlag.Path,
      resolve: ResolveFlag.InRoot | ResolveFlag.NoMagiclinks,
    });
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return false;
    throw error;
  }
}

function aboveOf(root: Fd, path: string): Pick<MountStub, "above" | "aboveMtime"> {
  for (let above = posix.dirname(path); ; above = posix.dirname(above)) {
    using directory = findDirectory(root, above);
    if (directory !== undefined) return { above, aboveMtime: fstat(directory).mtime };
    if (above === "/") return { above, aboveMtime: 0n };
  }
}

/** Takes away the mount points that are still what the runtime made them: empty. Times above are set back. */
export function removeStubs(rootPath: string, stubs: readonly MountStub[]): void {
  using root = openTree(rootPath);
  const deepestFirst = [...stubs].sort((a, b) => b.path.length - a.path.length);
  const touched = new Map<string, bigint>();
  for (const stub of deepestFirst) {
    if (removeOne(root, stub.path)) touched.set(stub.above, stub.aboveMtime);
  }
  for (const [path, mtime] of touched) {
    using directory = findDirectory(root, path);
    if (directory !== undefined) futimens(directory, { mtime });
  }
}

function removeOne(root: Fd, path: string): boolean {
  using directory = findDirectory(root, posix.dirname(path));
  if (directory === undefined) return false;
  const name = posix.basename(path);
  try {
    const status = statx(directory, name);
    const type = status.mode & FileType.Mask;
    if (type === FileType.Regular && status.size === 0) unlinkat(directory, name);
    else if (type === FileType.Directory) unlinkat(directory, name, AtFlag.RemoveDirectory);
    else return false;
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTEMPTY") return false;
    throw error;
  }
}

/**
 * Takes directories out of a writable layer that hold nothing and say nothing that the layers below do not say: what is
 * left when something was made in them and taken away again.
 *
 * @param lowers topmost first
 */
export function dropUnchanged(upper: string, lowers: readonly string[], paths: readonly string[]): void {
  using root = openat(CurrentDirectory, upper, OpenFlag.Path | OpenFlag.Directory);
  const deepestFirst = [...new Set(paths)].filter((path) => path !== "/").sort((a, b) => b.length - a.length);
  for (const path of deepestFirst) {
    using above = plainDirectory(root, posix.dirname(path).slice(1));
    if (above === undefined) continue;
    using own = plainDirectory(root, path.slice(1));
    if (own === undefined || !sameAsBelow(own, lowers, path)) continue;
    try {
      unlinkat(above, posix.basename(path), AtFlag.RemoveDirectory);
    } catch (error) {
      if (systemCode(error) !== "ENOTEMPTY") throw error;
    }
  }
}

function plainDirectory(root: Fd, path: string): Fd | undefined {
  try {
    const resolve = ResolveFlag.Beneath | ResolveFlag.NoSymlinks;
    return openat2(root, path === "" ? "." : path, { flags: OpenFlag.ReadOnly | OpenFlag.Directory, resolve });
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR" || systemCode(error) === "ELOOP") {
      return undefined;
    }
    throw error;
  }
}

function sameAsBelow(own: Fd, lowers: readonly string[], path: string): boolean {
  const status = fstat(own);
  for (const lower of lowers) {
    using root = openat(CurrentDirectory, lower, OpenFlag.Path | OpenFlag.Directory);
    using below = plainDirectory(root, path.slice(1));
    if (below === undefined) continue;
    const other = fstat(below);
    return (
      other.mode === status.mode && other.uid === status.uid && other.gid === status.gid && other.mtime === status.mtime
    );
  }
  return false;
}
