import { readFileSync, readlinkSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import { systemCode } from "@boxship/base";
import type { ProcessInfo } from "../contract.ts";

/** Clock ticks a second in /proc, the same on every architecture. */
const TICKS = 100;
const PAGE = 4096;
const PTS_MAJORS = { first: 136, last: 143 };

/** What `/proc/PID/stat` says, fields from the state on; the name in it may hold anything. */
export interface ProcStat {
  readonly name: string;
  readonly fields: readonly string[];
}

export function parseProcStat(text: string): ProcStat {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  return {
    name: text.slice(open + 1, close),
    fields: text
      .slice(close + 2)
      .trim()
      .split(" "),
  };
}

/** Boot time in milliseconds since the epoch. */
function bootTime(): number {
  return Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0) * 1000;
}

/** Processes as ps(1) shows them; those that have ended meanwhile are left out. */
export function describeProcesses(pids: readonly number[], now: number): readonly ProcessInfo[] {
  const boot = bootTime();
  const memory = totalmem();
  return pids.flatMap((pid) => {
    try {
      return [describeProcess(pid, { boot, memory, now })];
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT" || code === "ESRCH") return [];
      throw error;
    }
  });
}

interface Host {
  readonly boot: number;
  readonly memory: number;
  readonly now: number;
}

function describeProcess(pid: number, host: Host): ProcessInfo {
  const { name, fields } = parseProcStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  const owner = statSync(`/proc/${pid}`);
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8");
  // Numbered as in proc(5), where the state is field 3.
  const field = (number: number) => Number(fields[number - 3] ?? 0);
  const startedAt = host.boot + (field(22) * 1000) / TICKS;
  const cpuMs = ((field(14) + field(15)) * 1000) / TICKS;
  const age = Math.max(host.now - startedAt, 1);
  const residentSize = field(24) * PAGE;
  const locked = /^VmLck:\s*([1-9]\d*)/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  return {
    pid,
    parentPid: field(4),
    uid: owner.uid,
    gid: owner.gid,
    state: stateText(fields[0] ?? "?", { pid, field, locked }),
    tty: ttyName(pid, field(7)),
    startedAt: new Date(startedAt),
    cpuMs,
    cpuPercent: (cpuMs / age) * 100,
    memoryPercent: (residentSize / host.memory) * 100,
    virtualSize: field(23),
    residentSize,
    nice: field(19),
    threads: field(20),
    command: commandLine === "" ? `[${name}]` : commandLine.replace(/\0+$/, "").replaceAll("\0", " "),
  };
}

function stateText(
  state: string,
  {
    pid,
    field,
    locked,
  }: { readonly pid: number; readonly field: (number: number) => number; readonly locked: boolean },
): string {
  const nice = field(19);
  return [
    state,
    nice < 0 ? "<" : nice > 0 ? "N" : "",
    locked ? "L" : "",
    field(6) === pid ? "s" : "",
    field(20) > 1 ? "l" : "",
    field(8) !== -1 && field(8) === field(5) ? "+" : "",
  ].join("");
}

/** The number of a terminal says which it is; the name inside the container is not ours to know. */
function ttyName(pid: number, device: number): string {
  if (device === 0) return "?";
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= PTS_MAJORS.first && major <= PTS_MAJORS.last) return `pts/${(major - PTS_MAJORS.first) * 256 + minor}`;
  if (major === 4 && minor < 64) return `tty${minor}`;
  if (major === 4) return `ttyS${minor - 64}`;
  return linkedTerminal(pid);
}

function linkedTerminal(pid: number): string {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/0`);
    return target.startsWith("/dev/") ? target.slice("/dev/".length) : "?";
  } catch {
    return "?";
  }
}
