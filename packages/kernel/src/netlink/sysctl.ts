import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { InvalidArgument, NotFound, systemCode } from "@boxship/base";

/**
 * Kernel parameters under `net.`, which every network namespace has for itself: these functions reach those of the
 * namespace the calling thread is in, which is why they are synchronous (Node's asynchronous file calls run on other
 * threads).
 */

/** Sets `net.…`. Throws {@link NotFound} when this kernel has no such parameter. */
export function writeNetworkSysctl(name: string, value: string | number): void {
  const path = networkSysctlPath(name);
  try {
    const file = openSync(path, "w");
    try {
      writeSync(file, String(value));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw explain(error, name, String(value));
  }
}

/** The value of `net.…`, without its newline. */
export function readNetworkSysctl(name: string): string {
  try {
    return readFileSync(networkSysctlPath(name), "utf8").trimEnd();
  } catch (error) {
    throw explain(error, name, undefined);
  }
}

/**
 * The file of a parameter. As in sysctl(8), whichever of `.` and `/` comes first separates, and the other stands for
 * itself: `net.ipv4.conf.eth0/5.forwarding` and `net/ipv4/conf/eth0.5/forwarding` are the same.
 */
export function networkSysctlPath(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  const path = separator === "/" ? name : name.replaceAll(/[./]/g, (sign) => (sign === "." ? "/" : "."));
  const parts = path.split("/");
  if (parts[0] !== "net" || parts.length < 3 || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new InvalidArgument(`${JSON.stringify(name)} is not a network parameter`, {
      subject: { kind: "sysctl", name },
      remedy: "only parameters that start with net. belong to a network namespace",
    });
  }
  return `/proc/sys/${path}`;
}

function explain(error: unknown, name: string, value: string | undefined): unknown {
  const subject = { kind: "sysctl", name };
  switch (systemCode(error)) {
    case "ENOENT":
      return new NotFound(`this kernel has no parameter ${name}`, { cause: error, subject });
    case "EINVAL":
    case "ERANGE":
      return new InvalidArgument(`the kernel refuses ${value ?? ""} for parameter ${name}`, { cause: error, subject });
    default:
      return error;
  }
}
