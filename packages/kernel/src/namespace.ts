import { closeSync, openSync, unlinkSync } from "node:fs";
import { Unsupported } from "@boxship/base";
import { type Descriptor, descriptorNumber, descriptorPath, type Fd } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { fstat } from "./inode.ts";
import { bindMount, detachMount } from "./mount.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";

/**
 * Namespaces: opening, entering, keeping.
 *
 * A thread enters a namespace alone, so {@link inNamespace} can take the event loop's own thread into a namespace for a
 * few synchronous calls and back, in 25 to 30 µs. What is opened or started meanwhile stays in that namespace: a netlink
 * socket opened in there serves it from outside for ever, and a process spawned in there lives in it. Long work in a namespace belongs on a worker thread of its own.
 */
export type NamespaceType = "mnt" | "net" | "uts" | "ipc" | "cgroup" | "pid" | "time" | "user";

/** Flags of unshare(2) and setns(2) by type. */
export const NamespaceFlag: Readonly<Record<NamespaceType, number>> = {
  time: 0x80,
  mnt: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
};

/** Own working directory, root and umask, for unshare(2). */
const CLONE_FS = 0x200;

/** Types that a single thread can enter and leave again. */
export type ThreadNamespaceType = "mnt" | "net" | "uts" | "ipc" | "cgroup";

const setnsCall = libc.bind<number>("setns", ["i32", "i32", "i32"]);
const unshareCall = libc.bind<number>("unshare", ["i32", "i32"]);
const fchdirCall = libc.bind<number>("fchdir", ["i32", "i32"]);

/** The path of a namespace of a process. @default the calling thread's */
export function namespacePath(type: NamespaceType, pid?: number): string {
  return `/proc/${pid ?? "thread-self"}/ns/${type}`;
}

/** Opens a namespace file: of a process (see {@link namespacePath}) or a bound one. An open namespace lives on. */
export function openNamespace(path: string): Fd {
  return openat(CurrentDirectory, path, OpenFlag.ReadOnly);
}

/** The number that tells namespaces of a type apart: the inode, as `lsns` and `readlink /proc/PID/ns/…` show it. */
export function namespaceId(namespace: string | Descriptor): bigint {
  if (typeof namespace !== "string") return fstat(namespace).inode;
  using opened = openNamespace(namespace);
  return fstat(opened).inode;
}

/** `setns(2)`: moves the calling thread. Without a way back; prefer {@link inNamespace}. */
export function setns(namespace: Descriptor, type: NamespaceType): void {
  // A thread that shares its working directory with others may not change its mount namespace.
  if (type === "mnt") check(unshareCall(CLONE_FS), "unshare");
  check(setnsCall(descriptorNumber(namespace), NamespaceFlag[type]), "setns", type);
}

/** `unshare(2)`: new namespaces for the calling thread (for its children with `pid` and `time`). */
export function unshare(types: readonly NamespaceType[]): void {
  const flags = types.reduce((sum, type) => sum | NamespaceFlag[type], 0);
  check(unshareCall(flags), "unshare", types.join(" "));
}

/** Where a thread was before it went into a namespace. */
class Home {
  readonly #type: ThreadNamespaceType;
  readonly #namespace: Fd;
  readonly #directory: Fd | undefined;

  constructor(type: ThreadNamespaceType) {
    this.#type = type;
    this.#namespace = openNamespace(namespacePath(type));
    if (type === "mnt") this.#directory = openat(CurrentDirectory, ".", OpenFlag.Path | OpenFlag.Directory);
  }

  /** A thread that cannot come back would do everything from now on in the wrong place, so the process ends. */
  return(): void {
    try {
      check(setnsCall(this.#namespace.number, NamespaceFlag[this.#type]), "setns", this.#type);
      // Entering a mount namespace moves the thread to its root.
      if (this.#directory !== undefined) check(fchdirCall(this.#directory.number), "fchdir");
    } catch (error) {
      process.stderr.write(`cannot return to the own ${this.#type} namespace: ${String(error)}\n`);
      process.abort();
    }
    this.close();
  }

  close(): void {
    this.#namespace.close();
    this.#directory?.close();
  }
}

function visit<T>(type: ThreadNamespaceType, enter: () => void, task: () => T): T {
  const home = new Home(type);
  try {
    if (type === "mnt") check(unshareCall(CLONE_FS), "unshare");
    enter();
  } catch (error) {
    home.close();
    throw error;
  }
  try {
    const result = task();
    if (result instanceof Promise) throw new TypeError("a task in a namespace must be synchronous");
    return result;
  } finally {
    home.return();
  }
}

/**
 * Runs a synchronous task with the calling thread in a namespace, and returns to where it was. Any thread, the main one
 * included; other threads are not affected. Keep it short: it is the event loop that is away.
 */
export function inNamespace<T>(namespace: Descriptor, type: ThreadNamespaceType, task: () => T): T {
  return visit(type, () => check(setnsCall(descriptorNumber(namespace), NamespaceFlag[type]), "setns", type), task);
}

/**
 * A new namespace, kept alive by the returned descriptor; the calling thread stays where it is.
 *
 * @param prepare synchronous, runs inside the new namespace; when it throws, the namespace is gone
 */
export function createNamespace(type: ThreadNamespaceType, prepare?: () => void): Fd {
  return visit(
    type,
    () => check(unshareCall(NamespaceFlag[type]), "unshare", type),
    () => {
      prepare?.();
      return openNamespace(namespacePath(type));
    },
  );
}

/**
 * Keeps a namespace under a name: creates the file `target` and mounts the namespace on it, as `ip netns` does. It lives
 * until {@link unbindNamespace}. Throws EEXIST when the file exists.
 */
export function bindNamespace(namespace: Fd, target: string): void {
  closeSync(openSync(target, "wx", 0o444));
  try {
    bindMount({ source: descriptorPath(namespace), target });
  } catch (error) {
    unlinkSync(target);
    throw error;
  }
}

/** Takes the name away again; harmless when nothing is mounted there, ENOENT when the file is absent. */
export function unbindNamespace(target: string): void {
  try {
    detachMount(target);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EINVAL")) throw error;
  }
  unlinkSync(target);
}

/** Refuses a type that a thread cannot enter alone, by name. */
export function asThreadNamespaceType(type: NamespaceType): ThreadNamespaceType {
  if (type === "mnt" || type === "net" || type === "uts" || type === "ipc" || type === "cgroup") return type;
  throw new Unsupported(`a thread cannot enter a ${type} namespace by itself`, {
    remedy: "start a process in the namespace instead",
  });
}
