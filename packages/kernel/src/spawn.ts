import { readdirSync } from "node:fs";
import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { addressOf, cString, keepAlive, libc, type NativeFunction } from "./ffi.ts";
import { pidfdOpen } from "./signals.ts";

/**
 * Starting processes with `posix_spawn(3)`: the child shares our memory until it executes, so that the time it takes does
 * not grow with our size as it does with fork.
 */

export interface SpawnOptions {
  /** The executable's path; without a slash it is searched in our own PATH. */
  readonly file: string;
  /** Arguments after the program's name. @default [] */
  readonly args?: readonly string[];
  /** The name the program sees as argument zero. @default `file` */
  readonly argv0?: string;
  /** The whole environment. @default ours */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default ours */
  readonly cwd?: string;
  /**
   * The child's descriptors by number: one of ours (which stays ours), or `"null"` for `/dev/null`. The child gets these
   * and no others. 0, 1 and 2 are always open.
   * @default 0, 1 and 2 are `/dev/null`
   */
  readonly stdio?: Readonly<Record<number, Descriptor | "null">>;
  /** Start a session of its own. @default false */
  readonly setsid?: boolean;
  /** Start a process group of its own. @default false */
  readonly setpgroup?: boolean;
}

/** A started process before anybody watches it. The pidfd's owner also reaps the process. */
export interface SpawnedProcess {
  readonly pid: number;
  readonly pidfd: Fd;
}

const spawnSignature = ["i32", "pointer", "pointer", "pointer", "pointer", "pointer", "pointer"] as const;
const posixSpawn = libc.bind<number>("posix_spawn", spawnSignature);
const posixSpawnp = libc.bind<number>("posix_spawnp", spawnSignature);

const attributesInit = libc.bind<number>("posix_spawnattr_init", ["i32", "pointer"]);
const attributesSetFlags = libc.bind<number>("posix_spawnattr_setflags", ["i32", "pointer", "i32"]);
const attributesSetDefault = libc.bind<number>("posix_spawnattr_setsigdefault", ["i32", "pointer", "pointer"]);
const attributesSetMask = libc.bind<number>("posix_spawnattr_setsigmask", ["i32", "pointer", "pointer"]);

const actionsInit = libc.bind<number>("posix_spawn_file_actions_init", ["i32", "pointer"]);
const actionsDestroy = libc.bind<number>("posix_spawn_file_actions_destroy", ["i32", "pointer"]);
const actionsDup2 = libc.bind<number>("posix_spawn_file_actions_adddup2", ["i32", "pointer", "i32", "i32"]);
const actionsClose = libc.bind<number>("posix_spawn_file_actions_addclose", ["i32", "pointer", "i32"]);
const actionsOpen = libc.bind<number>("posix_spawn_file_actions_addopen", [
  "i32",
  "pointer",
  "i32",
  "pointer",
  "i32",
  "u32",
]);
const actionsChdir = libc.bind<number>("posix_spawn_file_actions_addchdir_np", ["i32", "pointer", "pointer"]);
const actionsCloseFrom = libc.bind<number>("posix_spawn_file_actions_addclosefrom_np", ["i32", "pointer", "i32"]);

const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;

// Generous: glibc's are 336, 80 and 128 bytes on 64-bit machines.
const ATTRIBUTES_SIZE = 512;
const ACTIONS_SIZE = 128;
const SIGNAL_SET_SIZE = 128;

const O_RDWR = 2;
const HIGHEST_SAFE = 3;

/** Children of ours that were not reaped yet, by process id. */
export const ownChildren = new Set<number>();

let attributes: Buffer | undefined;

/** Attributes for every spawn of this thread: no signal blocked, none ignored (Node ignores SIGPIPE). */
function spawnAttributes(options: SpawnOptions): Buffer {
  if (attributes === undefined) {
    attributes = Buffer.alloc(ATTRIBUTES_SIZE);
    ok(attributesInit(attributes), "posix_spawnattr_init");
    ok(attributesSetDefault(attributes, Buffer.alloc(SIGNAL_SET_SIZE, 0xff)), "posix_spawnattr_setsigdefault");
    ok(attributesSetMask(attributes, Buffer.alloc(SIGNAL_SET_SIZE)), "posix_spawnattr_setsigmask");
  }
  const flags = SETSIGDEF | SETSIGMASK | (options.setsid ? SETSID : 0) | (options.setpgroup ? SETPGROUP : 0);
  ok(attributesSetFlags(attributes, flags), "posix_spawnattr_setflags");
  return attributes;
}

/** The spawn functions return the error instead of setting errno. */
function ok(errno: number, name: string, detail?: string): void {
  if (errno !== 0) throw new SyscallError(errno, name, detail);
}

/** A NULL-terminated array of strings. The second buffer must live as long as the first is used. */
export function stringArray(strings: readonly string[]): readonly [pointers: Buffer, bytes: Buffer] {
  const parts = strings.map(cString);
  const bytes = Buffer.concat(parts);
  const pointers = Buffer.alloc((strings.length + 1) * 8);
  let address = bytes.length === 0 ? 0n : addressOf(bytes);
  parts.forEach((part, index) => {
    pointers.writeBigUInt64LE(address, index * 8);
    address += BigInt(part.length);
  });
  return [pointers, bytes];
}

function environmentStrings(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

/**
 * Starts a process and does not watch it: synchronous, usable on any thread. The child takes the calling thread's
 * namespaces and working directory. Throws a SyscallError (ENOENT, EACCES …) when the file cannot be executed.
 */
export function spawnUnwatched(options: SpawnOptions): SpawnedProcess {
  const { file } = options;
  const actions = new FileActions();
  try {
    describeDescriptors(actions, options.stdio ?? {});
    if (options.cwd !== undefined) actions.add(actionsChdir, cString(options.cwd));
    const [argv, argvBytes] = stringArray([options.argv0 ?? file, ...(options.args ?? [])]);
    const [envp, envBytes] = stringArray(environmentStrings(options.env ?? process.env));
    const pid = Buffer.alloc(4);
    const call = file.includes("/") ? posixSpawn : posixSpawnp;
    const errno = call(pid, cString(file), actions.buffer, spawnAttributes(options), argv, envp);
    keepAlive(argvBytes, envBytes);
    ok(errno, "posix_spawn", options.cwd === undefined ? file : `${file} in ${options.cwd}`);
    ownChildren.add(pid.readInt32LE(0));
    // The id cannot be taken by another process before the child is reaped, and only the pidfd's owner reaps it.
    return { pid: pid.readInt32LE(0), pidfd: pidfdOpen(pid.readInt32LE(0)) };
  } finally {
    actions.destroy();
  }
}

/** What the child does before it executes, in order. */
class FileActions {
  readonly buffer = Buffer.alloc(ACTIONS_SIZE);
  readonly #temporary: Fd[] = [];

  constructor() {
    ok(actionsInit(this.buffer), "posix_spawn_file_actions_init");
  }

  add(call: NativeFunction<number>, ...parameters: readonly (number | Buffer)[]): void {
    ok(call(this.buffer, ...parameters), "posix_spawn_file_actions");
  }

  /** A duplicate of ours that lives until the process was started. */
  raise(descriptor: Descriptor, minimum: number): number {
    const owner = typeof descriptor === "number" ? new Fd(descriptor) : descriptor;
    try {
      const copy = owner.duplicate(minimum);
      this.#temporary.push(copy);
      return copy.number;
    } finally {
      if (typeof descriptor === "number") owner.release();
    }
  }

  destroy(): void {
    for (const fd of this.#temporary) fd.close();
    actionsDestroy(this.buffer);
  }
}

/** Files 0, 1, 2 and the wanted ones, in ascending order; everything else is closed. */
function describeDescriptors(actions: FileActions, stdio: Readonly<Record<number, Descriptor | "null">>): void {
  const wanted = new Map<number, Descriptor | "null">(
    Object.entries(stdio).map(([number, source]) => [Number(number), source]),
  );
  for (const standard of [0, 1, 2]) if (!wanted.has(standard)) wanted.set(standard, "null");
  const end = Math.max(...wanted.keys()) + 1;
  const null_ = cString("/dev/null");
  for (let target = 0; target < end; target++) {
    const source = wanted.get(target);
    // Closing a number that is not open is no error here. Our own are close-on-exec, an inherited one may not be.
    if (source === undefined) actions.add(actionsClose, target);
    else if (source === "null") actions.add(actionsOpen, target, null_, O_RDWR, 0);
    else actions.add(actionsDup2, safeSource(actions, source, target, end), target);
  }
  closeFrom(actions, Math.max(end, HIGHEST_SAFE));
}

/** A number that no earlier step overwrites: a source below `end` is moved out of the way unless it stays in place. */
function safeSource(actions: FileActions, source: Descriptor, target: number, end: number): number {
  const number = descriptorNumber(source);
  return number >= end || number === target ? number : actions.raise(source, end);
}

let closeFromMissing = false;

function closeFrom(actions: FileActions, first: number): void {
  if (!closeFromMissing) {
    try {
      actions.add(actionsCloseFrom, first);
      return;
    } catch (error) {
      if (error instanceof SyscallError) throw error;
      // glibc before 2.34 has no such action.
      closeFromMissing = true;
    }
  }
  for (const name of readdirSync("/proc/self/fd")) {
    if (Number(name) >= first) actions.add(actionsClose, Number(name));
  }
}
