/**
 * Numbers of the system calls that are made by number, because libc (glibc 2.31 and later) does not wrap them everywhere.
 * Calls from 424 on have the same number on every architecture; older ones do not, hence the table per `process.arch`.
 */
const COMMON = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_open: 434,
  close_range: 436,
  openat2: 437,
  pidfd_getfd: 438,
  mount_setattr: 442,
  quotactl_fd: 443,
} as const;

const X64 = {
  write: 1,
  nanosleep: 35,
  statfs: 137,
  mknodat: 259,
  umount2: 166,
  gettid: 186,
  syncfs: 306,
  statx: 332,
  ...COMMON,
} as const;
const ARM64 = {
  write: 64,
  nanosleep: 101,
  statfs: 43,
  mknodat: 33,
  umount2: 39,
  gettid: 178,
  syncfs: 267,
  statx: 291,
  ...COMMON,
} as const;

export type SyscallName = keyof typeof X64;

const TABLES: Readonly<Record<string, Readonly<Record<SyscallName, number>>>> = { x64: X64, arm64: ARM64 };

/** The number of a system call on `architecture` (Node's names), or undefined where the architecture is unknown. */
export function syscallNumber(name: SyscallName, architecture: string = process.arch): number | undefined {
  return TABLES[architecture]?.[name];
}
