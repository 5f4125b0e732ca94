import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { cString, syscall } from "./ffi.ts";
import { read } from "./file-data.ts";
import { CurrentDirectory, pathText, type SystemPath } from "./open.ts";

/**
 * The mount calls that work on descriptors (Linux 5.2): a filesystem is configured option by option, without a limit on
 * their total length, and failures come with the kernel's own explanation.
 */

/** Attributes of a mount, for {@link mountFilesystem} and {@link mountSetattr}. */
export const MountAttribute = {
  ReadOnly: 0x1,
  NoSuid: 0x2,
  NoDev: 0x4,
  NoExec: 0x8,
  NoAtime: 0x10,
  StrictAtime: 0x20,
  NoDirAtime: 0x80,
  IdMap: 0x100000,
  NoSymfollow: 0x200000,
} as const;

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;

const Command = { SetFlag: 0, SetString: 1, SetFd: 5, Create: 6 } as const;

/** An option of a filesystem: a flag (`true`), a text, or an open file. */
export type FilesystemOption = readonly [name: string, value: string | true | Fd];

export interface FilesystemRequest {
  /** `overlay`, `tmpfs`, `proc` … */
  readonly type: string;
  readonly target: SystemPath;
  /** What mountinfo shows as the source. @default the type */
  readonly source?: string;
  /** In order; a name may come several times, as overlay's `lowerdir+` (Linux 6.5) does. @default [] */
  readonly options?: readonly FilesystemOption[];
  /** {@link MountAttribute} values. @default 0 */
  readonly attributes?: number;
}

/** Creates a filesystem and mounts it at the target. Throws a SyscallError whose message ends with the kernel's reason. */
export function mountFilesystem(request: FilesystemRequest): void {
  using mounted = createMount(request);
  attachMount(mounted, request.target);
}

/** As {@link mountFilesystem}, but the mount is not in the tree yet: closing the descriptor ends it. */
export function createMount(request: Omit<FilesystemRequest, "target">): Fd {
  const { type, source = type, options = [], attributes = 0 } = request;
  using context = new Fd(syscall("fsopen", [cString(type), FSOPEN_CLOEXEC], type));
  configure(context, type, ["source", source]);
  for (const option of options) configure(context, type, option);
  explained(context, `${type} create`, () => fsconfig(context, Command.Create, null, null, 0));
  return explained(context, type, () => {
    return new Fd(syscall("fsmount", [context.number, FSMOUNT_CLOEXEC, attributes], type));
  });
}

function configure(context: Fd, type: string, [name, value]: FilesystemOption): void {
  const key = cString(name);
  const what = typeof value === "string" ? `${type} ${name}=${value}` : `${type} ${name}`;
  explained(context, what, () => {
    if (value === true) fsconfig(context, Command.SetFlag, key, null, 0);
    else if (typeof value === "string") fsconfig(context, Command.SetString, key, cString(value), 0);
    else fsconfig(context, Command.SetFd, key, null, value.number);
  });
}

function fsconfig(context: Fd, command: number, key: Buffer | null, value: Buffer | null, extra: number): void {
  syscall("fsconfig", [context.number, command, key, value, extra]);
}

/** Runs a step and adds what the kernel logged about its failure. */
function explained<T>(context: Fd, what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const reasons = contextLog(context);
    throw new SyscallError(error.errno, error.syscall, reasons === "" ? what : `${what} (${reasons})`);
  }
}

const LONGEST_LOG_LINE = 4096;

/** The messages that wait in a filesystem context: one per read, `e ` for errors, `w ` and `i ` for others. */
function contextLog(context: Fd): string {
  const lines: string[] = [];
  const buffer = Buffer.alloc(LONGEST_LOG_LINE);
  try {
    for (;;) {
      const length = read(context, buffer) ?? 0;
      if (length === 0) break;
      lines.push(buffer.toString("utf8", 2, length).trim());
    }
  } catch (error) {
    // ENODATA: no more messages.
    if (!(error instanceof SyscallError && error.code === "ENODATA")) throw error;
  }
  return lines.join("; ");
}

/** Puts a mount that is held by a descriptor into the tree. */
export function attachMount(mounted: Descriptor, target: SystemPath): void {
  const empty = cString("");
  syscall(
    "move_mount",
    [descriptorNumber(mounted), empty, CurrentDirectory, cString(target), MOVE_MOUNT_F_EMPTY_PATH],
    pathText(target),
  );
}

/** As {@link attachMount}, on an open file or directory. */
export function attachMountOn(mounted: Descriptor, target: Descriptor): void {
  const empty = cString("");
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  const number = descriptorNumber(target);
  syscall("move_mount", [descriptorNumber(mounted), empty, number, empty, flags], String(number));
}

/**
 * `open_tree(2)` with a clone: a bind mount that is not in the tree yet. Closing the descriptor before
 * {@link attachMount} ends it.
 *
 * @param recursive with everything mounted below. @default false
 */
export function cloneMount(path: SystemPath, recursive = false): Fd {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return new Fd(syscall("open_tree", [CurrentDirectory, cString(path), flags], pathText(path)));
}

export interface MountChange {
  /** {@link MountAttribute} values to set. @default 0 */
  readonly set?: number;
  /** {@link MountAttribute} values to clear. @default 0 */
  readonly clear?: number;
  /** `MountFlag.Private`, `Slave`, `Shared` or `Unbindable`. @default unchanged */
  readonly propagation?: number;
  /** A user namespace whose ids the mount shall show, with `MountAttribute.IdMap` set. */
  readonly userNamespace?: Fd;
  /** Everything mounted below as well. @default false */
  readonly recursive?: boolean;
}

/** `mount_setattr(2)` (Linux 5.12) of the mount at a path or held by a descriptor: all of the change or none of it. */
export function mountSetattr(mounted: SystemPath | Fd, change: MountChange): void {
  const structure = Buffer.alloc(32);
  structure.writeBigUInt64LE(BigInt(change.set ?? 0), 0);
  structure.writeBigUInt64LE(BigInt(change.clear ?? 0), 8);
  structure.writeBigUInt64LE(BigInt(change.propagation ?? 0), 16);
  structure.writeBigUInt64LE(BigInt(change.userNamespace?.number ?? 0), 24);
  const byDescriptor = mounted instanceof Fd;
  const recursive = change.recursive === true ? AT_RECURSIVE : 0;
  const [directory, path, flags] = byDescriptor
    ? [mounted.number, "", AT_EMPTY_PATH]
    : [CurrentDirectory, mounted, AT_SYMLINK_NOFOLLOW];
  const detail = byDescriptor ? String(directory) : pathText(path);
  syscall("mount_setattr", [directory, cString(path), flags | recursive, structure, structure.length], detail);
}
