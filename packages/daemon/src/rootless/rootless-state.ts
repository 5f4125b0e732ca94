import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode, writeFileAtomic } from "@boxship/base";
import type { HeldNamespaces } from "./holder.ts";
import { endRunning, type RunningProcess } from "./running-process.ts";

/** The processes of an instance without root that outlive its daemon; kept in its run directory. */
export interface RootlessState {
  /** Keeps the namespaces. */
  readonly holder: RunningProcess;
  /** What they are, for when the holder is killed while others are in them. */
  readonly namespaces?: HeldNamespaces;
  /** The instance's control group, a directory on the machine's side. Absent where none was given to the user. */
  readonly cgroup?: string;
  readonly outside?: { readonly process: RunningProcess; readonly kind: string; readonly nameServer: string };
  /** Takes connections for published ports on the machine's side. */
  readonly ports?: RunningProcess;
}

const FILE = "rootless.json";

/** Where the forwarder of published ports is asked. */
export function portsSocket(runDir: string): string {
  return join(runDir, "ports.sock");
}

/** Where the forwarder connects to the machine's loopback. */
export function loopbackSocket(runDir: string): string {
  return join(runDir, "loopback.sock");
}

export function readRootlessState(runDir: string): RootlessState | undefined {
  try {
    return JSON.parse(readFileSync(join(runDir, FILE), "utf8")) as RootlessState;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function writeRootlessState(runDir: string, state: RootlessState): Promise<void> {
  return writeFileAtomic(join(runDir, FILE), JSON.stringify(state), { mode: 0o600 });
}

/** Ends all of them; the namespaces go with their last process. */
export function endRootlessProcesses({ ports, outside, holder }: RootlessState): void {
  for (const running of [ports, outside?.process, holder]) endRunning(running);
}
