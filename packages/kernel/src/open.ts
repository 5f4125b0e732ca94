import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { check, checkRetry, cString, libc, syscall } from "./ffi.ts";

/**
 * Opening files relative to a directory descriptor. All calls of the `file` family are synchronous: meant for worker
 * threads and for tiny operations. Paths may be bytes, because names on Linux need not be UTF-8.
 */
export type SystemPath = string | Uint8Array;

/** The working directory, where a call takes a directory descriptor. */
export const CurrentDirectory = -100;

const ARM64 = process.arch === "arm64";

/** Flags of `open(2)`; the values are this architecture's. */
export const OpenFlag = {
  ReadOnly: 0,
  WriteOnly: 1,
  ReadWrite: 2,
  Create: 0o100,
  Exclusive: 0o200,
  NoControllingTerminal: 0o400,
  Truncate: 0o1000,
  Append: 0o2000,
  NonBlock: 0o4000,
  Directory: ARM64 ? 0o40000 : 0o200000,
  NoFollow: ARM64 ? 0o100000 : 0o400000,
  CloseOnExec: 0o2000000,
  /** Only a reference to the place: no permission to read is needed, and neither reading nor writing is possible. */
  Path: 0o10000000,
  /** An unnamed file in a directory. */
  TemporaryFile: ARM64 ? 0o20040000 : 0o20200000,
} as const;

/** How `openat2(2)` may resolve a path. */
export const ResolveFlag = {
  /** No crossing of mount points. */
  NoXdev: 1,
  /** No magic links (`/proc/PID/fd/N` and such). */
  NoMagiclinks: 2,
  /** No symbolic links at all. */
  NoSymlinks: 4,
  /** Refuse (EXDEV) any path that leaves the directory, absolute links included. */
  Beneath: 8,
  /** The directory is the root: `..` and absolute links stay inside it, as after chroot(2). */
  InRoot: 16,
} as const;

const openatCall = libc.bind<number>("openat", ["i32", "i32", "pointer", "i32", "u32"]);

/**
 * `openat(2)`, always close-on-exec.
 *
 * @param flags {@link OpenFlag} values
 * @param mode permissions of a created file, before the umask. @default 0
 */
export function openat(directory: Descriptor, path: SystemPath, flags: number, mode = 0): Fd {
  const name = cString(path);
  const number = descriptorNumber(directory);
  return new Fd(
    checkRetry(() => openatCall(number, name, flags | OpenFlag.CloseOnExec, mode), "openat", pathText(path)),
  );
}

export interface OpenHow {
  /** {@link OpenFlag} values. */
  readonly flags: number;
  /** Permissions of a created file, before the umask. @default 0 */
  readonly mode?: number;
  /** {@link ResolveFlag} values. @default 0 */
  readonly resolve?: number;
}

const EAGAIN_TRIES = 64;

/**
 * `openat2(2)`, always close-on-exec. The kernel answers EAGAIN when a rename raced with the resolution of `..` under
 * `Beneath` or `InRoot`: the call is repeated then.
 */
export function openat2(directory: Descriptor, path: SystemPath, how: OpenHow): Fd {
  const name = cString(path);
  const structure = Buffer.alloc(24);
  structure.writeBigUInt64LE(BigInt(how.flags | OpenFlag.CloseOnExec), 0);
  structure.writeBigUInt64LE(BigInt(how.mode ?? 0), 8);
  structure.writeBigUInt64LE(BigInt(how.resolve ?? 0), 16);
  for (let attempt = 1; ; attempt++) {
    try {
      return new Fd(syscall("openat2", [descriptorNumber(directory), name, structure, 24], pathText(path)));
    } catch (error) {
      if (!isTransient(error) || attempt === EAGAIN_TRIES) throw error;
    }
  }
}

/**
 * Opens a path inside a directory that is its root, as a container sees it: neither `..` nor any link leads out of it.
 *
 * @param root an absolute path on the host, itself trusted
 * @param path inside the root, with or without a leading slash
 * @param flags {@link OpenFlag} values. @default OpenFlag.Path
 */
export function openInRoot(root: string, path: SystemPath, flags: number = OpenFlag.Path): Fd {
  using directory = openat(CurrentDirectory, root, OpenFlag.Path | OpenFlag.Directory);
  return openat2(directory, path, { flags, resolve: ResolveFlag.InRoot | ResolveFlag.NoMagiclinks });
}

function isTransient(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EINTR");
}

/** A path for messages; bytes that are not UTF-8 are shown escaped. */
export function pathText(path: SystemPath): string {
  if (typeof path === "string") return path;
  const text = Buffer.from(path).toString("utf8");
  return text.includes("�") ? JSON.stringify(Buffer.from(path).toString("latin1")) : text;
}

const memfdCall = libc.bind<number>("memfd_create", ["i32", "pointer", "u32"]);

/** A file in memory without a name; `name` only shows in `/proc/self/fd`. */
export function memfdCreate(name: string): Fd {
  return new Fd(check(memfdCall(cString(name), 1), "memfd_create", name));
}
