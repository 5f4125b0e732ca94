import { readdirSync, readlinkSync } from "node:fs";
import { check, libc } from "./ffi.ts";

const closeCall = libc.bind<number>("close", ["i32", "i32"]);
const fcntlCall = libc.bind<number>("fcntl", ["i32", "i32", "i32", "i64"]);

const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;

let live = 0;
const permanent = new Set<number>();

/**
 * Owner of one file descriptor. Exactly one owner exists per descriptor: {@link Fd.release} hands the number over to
 * another owner (a stream, a structure of Node's), {@link Fd.close} ends it.
 *
 * Not garbage-collected: an owner that is dropped without being closed is a leak, and {@link Fd.liveCount} shows it.
 */
export class Fd implements Disposable {
  #number: number;

  /** Takes ownership of an open descriptor. */
  constructor(number: number) {
    if (!Number.isInteger(number) || number < 0) throw new RangeError(`${number} is not a file descriptor`);
    this.#number = number;
    live++;
  }

  /** How many owners of this thread hold an open descriptor. */
  static liveCount(): number {
    return live;
  }

  /** The descriptor's number. Throws once it was closed or released. */
  get number(): number {
    if (this.#number === -1) throw new TypeError("the file descriptor was closed or released");
    return this.#number;
  }

  get closed(): boolean {
    return this.#number === -1;
  }

  /** Gives ownership away: the caller closes the returned number from now on. */
  release(): number {
    const number = this.number;
    this.#forget();
    return number;
  }

  /**
   * Closes the descriptor. A second call does nothing. Throws what close(2) reports (a deferred EIO, ENOSPC or EDQUOT
   * of a write); the descriptor is gone even then.
   */
  close(): void {
    if (this.#number === -1) return;
    const number = this.#number;
    this.#forget();
    check(closeCall(number), "close", String(number));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A second, close-on-exec descriptor of the same open file, its number at least `minimum`. @default 3 */
  duplicate(minimum = 3): Fd {
    return new Fd(check(fcntlCall(this.number, F_DUPFD_CLOEXEC, BigInt(minimum)), "fcntl", String(this.number)));
  }

  /** The path of the open file as the kernel sees it now, without links; what was removed ends in ` (deleted)`. */
  realPath(): string {
    return readlinkSync(descriptorPath(this));
  }

  #forget(): void {
    this.#number = -1;
    live--;
  }
}

/** An owned descriptor, or the number of one that somebody else owns. */
export type Descriptor = Fd | number;

/** The number of a descriptor in either form. */
export function descriptorNumber(descriptor: Descriptor): number {
  return typeof descriptor === "number" ? descriptor : descriptor.number;
}

/** A name of the descriptor's file in the file system, `/proc/self/fd/N`; resolves even where O_PATH forbids an f-call. */
export function descriptorPath(descriptor: Descriptor): string {
  // Worker threads that unshared their file system still see their own descriptors here: the table is per process.
  return `/proc/self/fd/${descriptorNumber(descriptor)}`;
}

/** Sets or clears O_NONBLOCK on the open file; all descriptors that share it are affected. */
export function setNonBlocking(descriptor: Descriptor, nonBlocking: boolean): void {
  const number = descriptorNumber(descriptor);
  const flags = check(fcntlCall(number, F_GETFL, 0n), "fcntl", String(number));
  const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted !== flags) check(fcntlCall(number, F_SETFL, BigInt(wanted)), "fcntl", String(number));
}

/** The status flags of the open file (O_NONBLOCK, O_APPEND, access mode …) as `fcntl(F_GETFL)` reports them. */
export function statusFlags(descriptor: Descriptor): number {
  const number = descriptorNumber(descriptor);
  return check(fcntlCall(number, F_GETFL, 0n), "fcntl", String(number));
}

/** Sets or clears close-on-exec. */
export function setCloseOnExec(descriptor: Descriptor, closeOnExec: boolean): void {
  const number = descriptorNumber(descriptor);
  const flags = check(fcntlCall(number, F_GETFD, 0n), "fcntl", String(number));
  const wanted = closeOnExec ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
  if (wanted !== flags) check(fcntlCall(number, F_SETFD, BigInt(wanted)), "fcntl", String(number));
}

const dup3Call = libc.bind<number>("dup3", ["i32", "i32", "i32", "i32"]);
const O_CLOEXEC = 0o2000000;

/** Makes `target` a close-on-exec duplicate of `source`, closing what `target` was, in one step. */
export function duplicateOver(source: Descriptor, target: number): void {
  check(dup3Call(descriptorNumber(source), target, O_CLOEXEC), "dup3", String(target));
}

/** Declares a descriptor that this package keeps for the life of the process; leak reports leave it out. */
export function keepForever(number: number): void {
  permanent.add(number);
}

/** One open descriptor of this process. */
export interface OpenDescriptor {
  readonly number: number;
  /** What it refers to, as `/proc/self/fd` has it: a path, `socket:[123]`, `anon_inode:[pidfd]` … */
  readonly target: string;
}

/**
 * The open descriptors of this process, ascending. A suite compares a list from its start with one from its end:
 *
 *     const before = openLeakReport();
 *     after(() => assert.deepEqual(openLeakReport(before), []));
 *
 * @param known descriptors that are left out: those present in an earlier report with the same number and target
 */
export function openLeakReport(known: readonly OpenDescriptor[] = []): readonly OpenDescriptor[] {
  const expected = new Set(known.map(({ number, target }) => `${number} ${target}`));
  const found: OpenDescriptor[] = [];
  for (const name of readdirSync("/proc/self/fd")) {
    const target = linkTarget(`/proc/self/fd/${name}`);
    // The descriptor of the listing itself is closed by now.
    if (target === undefined || permanent.has(Number(name)) || expected.has(`${name} ${target}`)) continue;
    found.push({ number: Number(name), target });
  }
  return found.sort((a, b) => a.number - b.number);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
