import { posix } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  type Fd,
  FileType,
  fchmod,
  fchownat,
  fstat,
  mkdirat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  readlinkat,
} from "@boxship/kernel";

const IN_ROOT = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;
/** As many links as the kernel follows in one path. */
const MOST_LINKS = 40;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Opens a directory of a tree, or undefined when there is nothing; links are followed inside of the tree. */
export function findDirectory(root: Fd, path: string): Fd | undefined {
  const place = openPlace(root, path);
  if (place === undefined) return undefined;
  using found = place;
  if ((fstat(found).mode & FileType.Mask) !== FileType.Directory) return undefined;
  return openat(found, ".", DIRECTORY);
}

function openPlace(root: Fd, path: string): Fd | undefined {
  try {
    return openat2(root, path === "" ? "." : path, { flags: OpenFlag.Path, resolve: IN_ROOT });
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP")
      throw new FailedPrecondition(`${posix.resolve("/", path)}: too many symbolic links`, { cause: error });
    if (code === "ENAMETOOLONG")
      throw new FailedPrecondition(`${posix.resolve("/", path)}: the name is too long`, { cause: error });
    throw error;
  }
}

/**
 * Opens a directory of a tree, making it and those above it where they are absent: mode 0755, owned by `owner`. A link
 * that leads nowhere has its target made.
 *
 * @param path absolute in the tree
 * @throws FailedPrecondition when something else is in the way
 */
export function makeDirectories(root: Fd, path: string, owner: Owner = { uid: 0, gid: 0 }): Fd {
  return makeBelow(root, posix.resolve("/", path), owner, 0);
}

function makeBelow(root: Fd, path: string, owner: Owner, links: number): Fd {
  let current = openat2(root, ".", { flags: DIRECTORY });
  const parts = path.split("/").filter((part) => part !== "");
  for (const [index, part] of parts.entries()) {
    const above = current;
    const here = parts.slice(0, index + 1).join("/");
    const found = findDirectory(root, here);
    if (found !== undefined) {
      above[Symbol.dispose]();
      current = found;
      continue;
    }
    using _above = above;
    const target = danglingLink(above, part, here);
    if (target !== undefined) {
      if (links >= MOST_LINKS) throw new FailedPrecondition(`/${here}: too many symbolic links`);
      const rest = parts.slice(index + 1).join("/");
      return makeBelow(root, posix.resolve(`/${posix.dirname(here)}`, target, rest), owner, links + 1);
    }
    current = makeOne(above, part, here, owner);
  }
  return current;
}

function danglingLink(directory: Fd, name: string, path: string): string | undefined {
  try {
    return readlinkat(directory, name).toString();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "EINVAL") throw new FailedPrecondition(`/${path} is not a directory`, { cause: error });
    throw error;
  }
}

function makeOne(directory: Fd, name: string, path: string, owner: Owner): Fd {
  try {
    mkdirat(directory, name, 0o755);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    throw new FailedPrecondition(`/${path} is not a directory`, { cause: error });
  }
  const made = openat(directory, name, DIRECTORY | OpenFlag.NoFollow);
  fchmod(made, 0o755);
  fchownat(made, "", owner.uid, owner.gid, AtFlag.EmptyPath);
  return made;
}
