import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { Internal, systemCode } from "@boxship/base";

/** Facts about the host and about what this process may do. */

export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
  /** As `uname -r` prints it. */
  readonly release: string;
}

/** The running kernel. @param text a release to parse instead */
export function kernelVersion(text: string = release()): KernelVersion {
  const match = /^(\d+)\.(\d+)/.exec(text);
  if (match === null) throw new Internal(`kernel release ${JSON.stringify(text)} is not understood`);
  return { major: Number(match[1]), minor: Number(match[2]), release: text };
}

/** Whether the running kernel is at least of that version. */
export function kernelAtLeast(major: number, minor: number): boolean {
  const running = kernelVersion();
  return running.major > major || (running.major === major && running.minor >= minor);
}

/** The distribution, from `/etc/os-release`; see os-release(5). All fields that are there, unquoted. */
export function osRelease(text: string = readOsRelease()): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    const [, name, value] = match ?? [];
    if (name !== undefined && value !== undefined) fields[name] = unquote(value);
  }
  return fields;
}

function readOsRelease(): string {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return "";
}

/** Shell quoting, as far as os-release uses it. */
function unquote(value: string): string {
  const quote = value[0];
  if (value.length < 2 || (quote !== '"' && quote !== "'") || !value.endsWith(quote)) return value;
  const inner = value.slice(1, -1);
  return quote === '"' ? inner.replace(/\\(["$`\\])/g, "$1") : inner;
}

/** Capabilities in the order of their numbers. */
export const CAPABILITY_NAMES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** The capability sets of a process, see capabilities(7). */
export interface CapabilitySets {
  readonly effective: ReadonlySet<CapabilityName>;
  readonly permitted: ReadonlySet<CapabilityName>;
  readonly inheritable: ReadonlySet<CapabilityName>;
  readonly bounding: ReadonlySet<CapabilityName>;
  readonly ambient: ReadonlySet<CapabilityName>;
}

/** The capabilities of this process. @param status text of a `/proc/PID/status` to read instead */
export function capabilitySets(status: string = readFileSync("/proc/self/status", "utf8")): CapabilitySets {
  const set = (field: string) => namesOf(statusField(status, field));
  return {
    effective: set("CapEff"),
    permitted: set("CapPrm"),
    inheritable: set("CapInh"),
    bounding: set("CapBnd"),
    ambient: set("CapAmb"),
  };
}

function statusField(status: string, field: string): string {
  const value = new RegExp(`^${field}:\\s*(\\S+)$`, "m").exec(status)?.[1];
  if (value === undefined) throw new Internal(`process status has no ${field}`);
  return value;
}

function namesOf(mask: string): ReadonlySet<CapabilityName> {
  const bits = BigInt(`0x${mask}`);
  return new Set(CAPABILITY_NAMES.filter((_, number) => (bits & (1n << BigInt(number))) !== 0n));
}

/** Whether this process has a capability in effect now. */
export function hasCapability(name: CapabilityName): boolean {
  return capabilitySets().effective.has(name);
}

/** Whether the process runs as the superuser of its user namespace. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Whether the kernel filters system calls. */
export function seccompAvailable(): boolean {
  return existsSync("/proc/sys/kernel/seccomp/actions_avail");
}

export interface HostResources {
  /** Bytes of memory, and what could be used without swapping. */
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
  readonly swapTotal: number;
  /** Processors this process may use. */
  readonly cpus: number;
}

/** What the host has. @param meminfo text of a `/proc/meminfo` to read instead */
export function hostResources(meminfo: string = readFileSync("/proc/meminfo", "utf8")): HostResources {
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0) * 1024;
  return {
    memoryTotal: bytes("MemTotal"),
    memoryAvailable: bytes("MemAvailable"),
    swapTotal: bytes("SwapTotal"),
    cpus: availableParallelism(),
  };
}
