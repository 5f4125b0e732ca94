import { Conflict, FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import type { ProcessInfo } from "@boxship/runtime";
import { type EngineContext, eventAttributes } from "../context.ts";
import { isAlive } from "./state.ts";

/** Most bytes of the output of ps(1), which lists the whole machine. */
const LARGEST_TABLE = 64 << 20;

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * The processes of a running container, as the host sees them. Without arguments, or with `-ef`, the table is made from
 * /proc; any other arguments are given to the host's ps(1), as Docker does.
 */
export async function topContainer(context: EngineContext, ref: string, args = "-ef"): Promise<ProcessTable> {
  const record = context.containers.resolve(ref);
  if (!isAlive(record.state)) {
    throw new Conflict(`container ${record.id} is not running`, { subject: { kind: "container", name: record.name } });
  }
  context.events.publish("container", "top", record.id, eventAttributes(record));
  if (args === "-ef" || args === "") return fullTable(await context.runtime.top(record.id));
  const pids = new Set((await context.runtime.processes(record.id)).map(String));
  return parsePs(await hostPs(args), pids);
}

const TITLES = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];

function fullTable(processes: readonly ProcessInfo[]): ProcessTable {
  return {
    titles: TITLES,
    rows: processes.map((process) => [
      process.uid === 0 ? "root" : String(process.uid),
      String(process.pid),
      String(process.parentPid),
      String(Math.trunc(process.cpuPercent)),
      startTime(process.startedAt),
      process.tty,
      cpuTime(process.cpuMs),
      process.command,
    ]),
  };
}

/** `14:05` today, `Nov21` this year, else the year, as ps(1) has it. */
function startTime(at: Date, now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, "0");
  if (now.getTime() - at.getTime() < 24 * 3600 * 1000) return `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (now.getFullYear() !== at.getFullYear()) return String(at.getFullYear());
  return `${at.toLocaleString("en-US", { month: "short" })}${two(at.getDate())}`;
}

function cpuTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

async function hostPs(args: string): Promise<string> {
  if (args.includes("\0")) throw new InvalidArgument("the arguments of ps hold a NUL byte");
  const words = args.split(/\s+/).filter((word) => word !== "");
  try {
    const result = await runProcess({ file: "ps", args: words, maxOutput: LARGEST_TABLE });
    if (result.code === 0) return result.stdout.toString();
    throw new InvalidArgument(`ps: ${result.stderr.toString().trim()}`, { subject: { kind: "option", name: args } });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new FailedPrecondition("ps is not installed on the host, and 'top' with arguments needs it", {
      remedy: "install procps, or leave the arguments out",
      cause: error,
    });
  }
}

/** The rows of ps(1)'s output whose PID column is one of `pids`. */
export function parsePs(output: string, pids: ReadonlySet<string>): ProcessTable {
  const [head = "", ...lines] = output.split("\n");
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw new InvalidArgument("Couldn't find PID field in ps output");
  const rows = lines.flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (!pids.has(words[pidColumn] ?? "")) return [];
    return [[...words.slice(0, titles.length - 1), words.slice(titles.length - 1).join(" ")]];
  });
  return { titles, rows };
}
