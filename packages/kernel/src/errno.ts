import { constants } from "node:os";

/** Linux errors that Node's own table lacks; the numbers are the same on x64 and arm64. */
const LINUX: readonly (readonly [number, string])[] = [
  [15, "ENOTBLK"],
  [87, "EUSERS"],
  [94, "ESOCKTNOSUPPORT"],
  [96, "EPFNOSUPPORT"],
  [108, "ESHUTDOWN"],
  [112, "EHOSTDOWN"],
  [117, "EUCLEAN"],
  [121, "EREMOTEIO"],
  [123, "ENOMEDIUM"],
  [126, "ENOKEY"],
];

// Node lists both names of 11 and of 95; the first one is the manual's.
const ALIASES: ReadonlySet<string> = new Set(["EWOULDBLOCK", "ENOTSUP"]);

const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name] as const),
  ...LINUX,
]);

/** The symbolic name of an errno value, e.g. `ENOENT`. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/**
 * A system call failed. `code` has the same names as Node's own errors, so that `systemCode(error) === "ENOENT"` works
 * on both.
 */
export class SyscallError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;

  constructor(errno: number, syscall: string, detail?: string) {
    const code = errnoName(errno);
    super(`${syscall}${detail === undefined ? "" : ` ${detail}`}: ${code}`);
    this.name = "SyscallError";
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
  }
}
