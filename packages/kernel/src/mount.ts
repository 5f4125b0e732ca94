import { check, cString, libc } from "./ffi.ts";

/** Flags of `mount(2)`. */
export const MountFlag = {
  ReadOnly: 1,
  NoSuid: 2,
  NoDev: 4,
  NoExec: 8,
  Remount: 32,
  NoAtime: 1024,
  Bind: 4096,
  Move: 8192,
  Rec: 16384,
  Unbindable: 1 << 17,
  Private: 1 << 18,
  Slave: 1 << 19,
  Shared: 1 << 20,
  RelAtime: 1 << 21,
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
  /** Comma-separated options of the filesystem. */
  readonly data?: string;
}

/** `mount(2)`. */
export function mount(request: MountRequest): void {
  const { source, target, type, flags = 0, data } = request;
  check(
    mountCall(
      cString(source),
      cString(target),
      type === undefined ? null : cString(type),
      BigInt(flags),
      data === undefined ? null : cString(data),
    ),
    "mount",
    target,
  );
}

/** `umount2(2)`. @param flags {@link UnmountFlag} values, @default 0 */
export function unmount(target: string, flags = 0): void {
  check(umountCall(cString(target), flags), "umount2", target);
}
