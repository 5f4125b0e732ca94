import { readFileSync } from "node:fs";
import { systemCode } from "@boxship/base";
import { killIfThere, SIGKILL } from "@boxship/kernel";

/** A process that outlives whoever started it, told from a later one of that number by when it began. */
export interface RunningProcess {
  readonly pid: number;
  /** Field 22 of `/proc/PID/stat`. */
  readonly startTime: string;
}

const START_TIME = 21;

/** Undefined when there is none of that number, or only its exit status. */
export function runningProcess(pid: number): RunningProcess | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const startTime = fields[START_TIME - 2];
    return startTime === undefined || fields[0] === "Z" ? undefined : { pid, startTime };
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ESRCH") return undefined;
    throw error;
  }
}

export function stillRuns(process: RunningProcess | undefined): process is RunningProcess {
  return process !== undefined && runningProcess(process.pid)?.startTime === process.startTime;
}

/** Kills it if it still runs. */
export function endRunning(process: RunningProcess | undefined): void {
  if (stillRuns(process)) killIfThere(process.pid, SIGKILL);
}
