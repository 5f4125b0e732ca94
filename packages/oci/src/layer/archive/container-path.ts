import { FailedPrecondition, InvalidArgument, NotFound, systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  Fd,
  type FileStatus,
  FileType,
  fstat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  readlinkat,
} from "@boxship/kernel";
import { parentOf, systemPath } from "../apply/names.ts";
import { type ByteString, byteSlice, bytesOf, toText } from "../tar/bytes.ts";

const IN_ROOT = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
const PLACE = OpenFlag.Path | OpenFlag.NoFollow;

/** What `docker cp` wants to know about a path. */
export interface PathStat {
  /** Last component as it was asked for. */
  readonly name: string;
  readonly size: number;
  /** Bits of Go's `os.FileMode`. */
  readonly mode: number;
  /** Milliseconds since the epoch. */
  readonly mtime: number;
  /** For a symbolic link, the path in the container that it leads to; else empty. */
  readonly linkTarget: string;
}

/** A path in a container as the archive calls understand it. */
export interface ContainerPath {
  /** Without `.`, `..` and slashes at the ends; "" is the root. */
  readonly path: ByteString;
  /** Whether a slash or `/.` at the end asks for the directory that a link leads to. */
  readonly followed: boolean;
  /** What entries of an archive of it start with. */
  readonly base: ByteString;
}

export function parseContainerPath(text: string): ContainerPath {
  if (text.includes("\0")) throw new InvalidArgument("the path holds a NUL byte");
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const path = bytesOf(parts.join("/"));
  const dot = text.endsWith("/.") || text === ".";
  const followed = dot || text.endsWith("/");
  const last = parts.at(-1);
  return { path, followed, base: bytesOf(dot && last !== undefined ? "." : (last ?? "/")) };
}

/** Opens a container's root directory. */
export function openRoot(root: string): Fd {
  return openat(CurrentDirectory, root, OpenFlag.Path | OpenFlag.Directory);
}

/**
 * The place that a path names, opened without following a link at its end (unless {@link ContainerPath.followed}). No
 * link leads out of the root. Throws `NotFound`, or `InvalidArgument` where a directory is asked for and something else is
 * there.
 */
export function openPlace(root: Fd, { path, followed }: ContainerPath): Fd {
  if (path === "") return root.duplicate();
  const flags = followed ? OpenFlag.Path | OpenFlag.Directory : PLACE;
  try {
    return openat2(root, systemPath(path), { flags, resolve: IN_ROOT });
  } catch (error) {
    const name = `/${toText(path)}`;
    const subject = { kind: "path", name };
    switch (systemCode(error)) {
      case "ENOENT":
        throw new NotFound(`could not find the file ${name}`, { cause: error, subject });
      case "ENOTDIR":
        throw new InvalidArgument(`${name} is not a directory`, { cause: error, subject });
      case "ELOOP":
        throw new InvalidArgument(`${name}: too many symbolic links`, { cause: error, subject });
      case "ENAMETOOLONG":
        throw new InvalidArgument(`${name}: a name is too long`, { cause: error, subject });
      default:
        throw new FailedPrecondition(`${name} cannot be opened`, { cause: error, subject });
    }
  }
}

export function statPlace(root: Fd, where: ContainerPath, place: Fd): PathStat {
  const status = fstat(place);
  const isLink = (status.mode & FileType.Mask) === FileType.Symlink;
  return {
    name: toText(where.base),
    size: status.size,
    mode: goFileMode(status),
    mtime: Number(status.mtime / 1_000_000n),
    linkTarget: isLink ? `/${toText(resolveLink(root, where.path, place))}` : "",
  };
}

const GO_TYPES: Readonly<Record<number, number>> = {
  [FileType.Directory]: 0x80000000,
  [FileType.Symlink]: 0x08000000,
  [FileType.Block]: 0x04000000,
  [FileType.Fifo]: 0x02000000,
  [FileType.Socket]: 0x01000000,
  // ModeDevice | ModeCharDevice
  [FileType.Character]: 0x04200000,
};

function goFileMode({ mode }: FileStatus): number {
  let bits = (GO_TYPES[mode & FileType.Mask] ?? 0) + (mode & 0o777);
  if ((mode & 0o4000) !== 0) bits += 0x00800000;
  if ((mode & 0o2000) !== 0) bits += 0x00400000;
  if ((mode & 0o1000) !== 0) bits += 0x00100000;
  return bits;
}

/** Where a link leads, seen from the root; for one that leads nowhere, what it says. */
function resolveLink(root: Fd, path: ByteString, link: Fd): ByteString {
  try {
    using target = openat2(root, systemPath(path), { flags: OpenFlag.Path, resolve: IN_ROOT });
    return canonicalPath(root, target);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    const bytes = readlinkat(link, "");
    const text = toText(byteSlice(bytes, 0, bytes.length));
    return parseContainerPath(text.startsWith("/") ? text : `${toText(parentOf(path))}/${text}`).path;
  }
}

/** The path of an open place below a root, free of links. */
export function canonicalPath(root: Fd, place: Fd): ByteString {
  const read = (fd: Fd) => readlinkat(CurrentDirectory, descriptorPath(fd)).toString("latin1");
  const [rootPath, path] = [read(root), read(place)];
  const prefix = rootPath.endsWith("/") ? rootPath : `${rootPath}/`;
  if (path === rootPath) return "" as ByteString;
  if (!path.startsWith(prefix)) throw new FailedPrecondition(`${path} is not below ${rootPath}`);
  return path.slice(prefix.length) as ByteString;
}
