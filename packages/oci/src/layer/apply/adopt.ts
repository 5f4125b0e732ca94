import { systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  CurrentDirectory,
  Fd,
  FileType,
  fchmod,
  fchownat,
  fgetxattr,
  flistxattr,
  fsetxattr,
  fstat,
  futimens,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
} from "@boxship/kernel";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;
const STRICT = ResolveFlag.Beneath | ResolveFlag.NoSymlinks | ResolveFlag.NoMagiclinks;

/**
 * Gives directories that a layer's archive left out the owner, mode, attributes and time that they have in the layers
 * below; without that the layer would hide them behind defaults.
 *
 * @param paths directories below `directory`, parents first; "" is itself
 * @param lowers the layers below, topmost first
 */
export function adoptDirectories(directory: string, paths: readonly string[], lowers: readonly string[]): void {
  using root = openat(CurrentDirectory, directory, DIRECTORY);
  const layers = lowers.map((lower) => openat(CurrentDirectory, lower, DIRECTORY));
  try {
    // Children first: what is done to them must not change the times of their parents afterwards.
    for (const path of [...paths].reverse()) {
      using from = findBelow(layers, path);
      if (from === undefined) continue;
      using to = openat2(root, path === "" ? "." : path, {
        flags: DIRECTORY,
        resolve: ResolveFlag.InRoot | ResolveFlag.NoMagiclinks,
      });
      copyAttributes(from, to);
    }
  } finally {
    for (const layer of layers) layer.close();
  }
}

/** The directory as the union of the layers shows it, or undefined when it is absent, hidden, or no directory. */
function findBelow(layers: readonly Fd[], path: string): Fd | undefined {
  for (const layer of layers) {
    try {
      return openat2(layer, path === "" ? "." : path, { flags: DIRECTORY, resolve: STRICT });
    } catch (error) {
      const code = systemCode(error);
      // A whiteout or file in its place (or in a parent's) hides what lies further down.
      if (code === "ENOTDIR" || code === "ELOOP") return undefined;
      if (code !== "ENOENT") throw error;
      if (hiddenByParent(layer, path)) return undefined;
    }
  }
  return undefined;
}

function hiddenByParent(layer: Fd, path: string): boolean {
  for (let slash = path.lastIndexOf("/"); slash !== -1; slash = path.lastIndexOf("/", slash - 1)) {
    try {
      using parent = openat2(layer, path.slice(0, slash), { flags: DIRECTORY, resolve: STRICT });
      for (const space of ["trusted", "user"]) {
        if (fgetxattr(parent, `${space}.overlay.opaque`)?.toString() === "y") return true;
      }
    } catch (error) {
      if (systemCode(error) !== "ENOENT") return true;
    }
    if (slash === 0) break;
  }
  return false;
}

function copyAttributes(from: Fd, to: Fd): void {
  const status = fstat(from);
  fchownat(to, "", status.uid, status.gid, AtFlag.EmptyPath);
  for (const name of flistxattr(from)) {
    const value = /^(?:trusted|user)\.overlay\./.test(name) ? undefined : fgetxattr(from, name);
    if (value !== undefined) fsetxattr(to, name, value);
  }
  fchmod(to, status.mode & ~FileType.Mask);
  futimens(to, { mtime: status.mtime });
}
