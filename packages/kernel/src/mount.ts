import { isMainThread } from "node:worker_threads";
import { syscallInBackground } from "./background-syscall.ts";
import { SyscallError } from "./errno.ts";
import { check, cString, libc } from "./ffi.ts";
import { statx } from "./inode.ts";
import { CurrentDirectory } from "./open.ts";

/** Flags of `mount(2)`. */
export const MountFlag = {
  ReadOnly: 1,
  NoSuid: 2,
  NoDev: 4,
  NoExec: 8,
  Synchronous: 16,
  Remount: 32,
  NoSymfollow: 256,
  NoAtime: 1024,
  NoDirAtime: 2048,
  Bind: 4096,
  Move: 8192,
  Rec: 16384,
  Unbindable: 1 << 17,
  Private: 1 << 18,
  Slave: 1 << 19,
  Shared: 1 << 20,
  RelAtime: 1 << 21,
  StrictAtime: 1 << 24,
} as const;

/** Flags of `umount2(2)`. */
export const UnmountFlag = { Force: 1, Detach: 2, Expire: 4, NoFollow: 8 } as const;

const mountCall = libc.bind<number>("mount", ["i32", "pointer", "pointer", "pointer", "u64", "pointer"]);
const umountCall = libc.bind<number>("umount2", ["i32", "pointer", "i32"]);

export interface MountRequest {
  readonly source: string;
  readonly target: string;
  /** Filesystem type; unused for bind, move and propagation changes. */
  readonly type?: string;
  /** {@link MountFlag} values. @default 0 */
  readonly flags?: number;
  /** Comma-separated options of the filesystem; the kernel takes less than 4096 bytes. */
  readonly data?: string;
}

// The kernel copies one page of options and cuts the rest off without a word.
const LONGEST_DATA = 4095;
const E2BIG = 7;

/** `mount(2)`. Throws E2BIG for options that the kernel would cut: `mountFilesystem` takes any number. */
export function mount(request: MountRequest): void {
  const { source, target, type, flags = 0, data } = request;
  const options = data === undefined ? null : cString(data);
  if (options !== null && options.length > LONGEST_DATA) throw new SyscallError(E2BIG, "mount", target);
  check(
    mountCall(cString(source), cString(target), type === undefined ? null : cString(type), BigInt(flags), options),
    "mount",
    target,
  );
}

/** `umount2(2)`. @param flags {@link UnmountFlag} values, @default 0 */
export function unmount(target: string, flags = 0): void {
  check(umountCall(cString(target), flags), "umount2", target);
}

/**
 * Takes a mount, with all below it, out of the tree at once; it ends when its last user is gone. May take long: on the
 * event loop use {@link releaseMount}.
 */
export function detachMount(target: string): void {
  unmount(target, UnmountFlag.Detach | UnmountFlag.NoFollow);
}

/**
 * Takes a mount, with all below it, out of the tree without blocking the event loop, and resolves when the filesystem has
 * been let go, unless somebody else still uses it. For overlay and disk filesystems that is when dirty data is written:
 * 240 ms were measured for a small overlay. Mount namespaces that were copied meanwhile may keep the filesystem in use for
 * a moment longer. A link is not followed.
 */
export async function releaseMount(target: string): Promise<void> {
  // A worker thread has no event loop that must not wait.
  if (!isMainThread) return detachMount(target);
  await syscallInBackground("umount2", [cString(target), UnmountFlag.Detach | UnmountFlag.NoFollow], target);
}

export interface BindRequest {
  readonly source: string;
  readonly target: string;
  /** With everything mounted below the source. @default false */
  readonly recursive?: boolean;
  /** This mount only, not those below it; the source stays as it is. @default false */
  readonly readOnly?: boolean;
  /** Further {@link MountFlag} values of the new mount: NoSuid, NoDev, NoExec … @default 0 */
  readonly flags?: number;
}

const EVERY_REMOUNTABLE =
  MountFlag.ReadOnly | MountFlag.NoSuid | MountFlag.NoDev | MountFlag.NoExec | MountFlag.NoSymfollow;

/**
 * Makes a file or directory visible at a second place. A bind mount takes its flags in a second step; when that fails the
 * mount is taken back.
 */
export function bindMount(request: BindRequest): void {
  const { source, target, recursive = false, readOnly = false } = request;
  const flags = (request.flags ?? 0) | (readOnly ? MountFlag.ReadOnly : 0);
  mount({ source, target, flags: MountFlag.Bind | (recursive ? MountFlag.Rec : 0) });
  if ((flags & EVERY_REMOUNTABLE) === 0) return;
  try {
    mount({ source: "none", target, flags: MountFlag.Bind | MountFlag.Remount | flags });
  } catch (error) {
    detachMount(target);
    throw error;
  }
}

/** How mounts below a mount are passed on between namespaces; see mount_namespaces(7). */
export type Propagation = "private" | "slave" | "shared" | "unbindable";

const PROPAGATION_FLAGS: Readonly<Record<Propagation, number>> = {
  private: MountFlag.Private,
  slave: MountFlag.Slave,
  shared: MountFlag.Shared,
  unbindable: MountFlag.Unbindable,
};

/** Changes a mount's propagation. @param recursive with all mounts below it. @default false */
export function setPropagation(target: string, propagation: Propagation, recursive = false): void {
  mount({ source: "none", target, flags: PROPAGATION_FLAGS[propagation] | (recursive ? MountFlag.Rec : 0) });
}

/** Moves a mount, with all below it, to another place. Fails (EINVAL) under a shared parent. */
export function moveMount(source: string, target: string): void {
  mount({ source, target, flags: MountFlag.Move });
}

const STATX_ATTR_MOUNT_ROOT = 0x2000n;

/** Whether something is mounted exactly at `path`; a link is not followed. Needs Linux 5.8. */
export function isMountPoint(path: string): boolean {
  return (statx(CurrentDirectory, path).attributes & STATX_ATTR_MOUNT_ROOT) !== 0n;
}

/**
 * Makes sure that mounts made below `path` from now on also appear in namespaces that were copied from this one: mounts
 * the directory on itself, shared, unless it is a shared mount already. Idempotent.
 *
 * Needed where the root is mounted private (containers, minimal inits); under systemd everything is shared.
 */
export function ensureSharedMount(path: string): void {
  if (!isMountPoint(path)) bindMount({ source: path, target: path });
  // Without effect on a mount that is shared already: it stays in its peer group.
  setPropagation(path, "shared");
}
