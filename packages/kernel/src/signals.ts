import { constants } from "node:os";
import { InvalidArgument } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { check, libc, syscall } from "./ffi.ts";

/** Signal names and numbers, and sending signals to processes. */

/** `kill -9`. */
export const SIGKILL = constants.signals.SIGKILL;

// glibc takes the kernel's first two real-time signals for itself.
const SIGRTMIN = 34;
const SIGRTMAX = 64;

const ALIASES: ReadonlySet<string> = new Set(["SIGIOT", "SIGPOLL", "SIGUNUSED"]);

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name]),
);

/** A signal's name: `SIGTERM`, `SIGRTMIN+3`. Numbers without a name come back as digits. */
export function signalName(number: number): string {
  const name = NAMES.get(number);
  if (name !== undefined) return name;
  if (number === SIGRTMAX) return "SIGRTMAX";
  if (number < SIGRTMIN || number > SIGRTMAX) return String(number);
  return number === SIGRTMIN ? "SIGRTMIN" : `SIGRTMIN+${number - SIGRTMIN}`;
}

/**
 * A signal's number from its name as users write it: `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-1`.
 * Throws InvalidArgument for anything else, 0 included.
 */
export function signalNumber(text: string): number {
  const number = parseSignal(text.trim().toUpperCase());
  if (number === undefined) {
    throw new InvalidArgument(`signal ${JSON.stringify(text)} is not known`, {
      remedy: "use a name such as SIGTERM, a number from 1 to 64, or RTMIN+n",
    });
  }
  return number;
}

function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= SIGRTMAX ? number : undefined;
  }
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  const known = NUMBERS.get(name);
  if (known !== undefined) return known;
  const match = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const [, base, sign, digits = "0"] = match;
  const number = (base === "MIN" ? SIGRTMIN : SIGRTMAX) + (sign === "-" ? -1 : 1) * Number(digits);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

const killCall = libc.bind<number>("kill", ["i32", "i32", "i32"]);

/**
 * `kill(2)`.
 *
 * @param pid a process, or minus a process group
 * @param signal a number; 0 only asks whether the process exists
 */
export function kill(pid: number, signal: number): void {
  check(killCall(pid, signal), "kill", String(pid));
}

/** `kill(2)` of what may have ended meanwhile: false when it has. */
export function killIfThere(pid: number, signal: number): boolean {
  return unlessGone(() => kill(pid, signal));
}

function unlessGone(send: () => void): boolean {
  try {
    send();
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Whether a process with this id exists (a zombie does). */
export function processExists(pid: number): boolean {
  try {
    return killIfThere(pid, 0);
  } catch (error) {
    if (error instanceof SyscallError && error.code === "EPERM") return true;
    throw error;
  }
}

/** `pidfd_open(2)`: a descriptor that stands for a process and never for a later one with the same id. */
export function pidfdOpen(pid: number): Fd {
  return new Fd(syscall("pidfd_open", [pid, 0], String(pid)));
}

/** `pidfd_send_signal(2)`. */
export function pidfdSendSignal(pidfd: Descriptor, signal: number): void {
  syscall("pidfd_send_signal", [descriptorNumber(pidfd), signal, 0, 0], String(descriptorNumber(pidfd)));
}

/** `pidfd_send_signal(2)` to what may have ended meanwhile: false when it has. */
export function pidfdSendIfThere(pidfd: Descriptor, signal: number): boolean {
  return unlessGone(() => pidfdSendSignal(pidfd, signal));
}

/** `pidfd_getfd(2)`: a duplicate of another process's descriptor. Needs the right to ptrace it. */
export function pidfdGetfd(pidfd: Descriptor, descriptor: number): Fd {
  return new Fd(syscall("pidfd_getfd", [descriptorNumber(pidfd), descriptor, 0], String(descriptor)));
}
