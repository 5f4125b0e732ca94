import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { daemonCommand } from "@boxship/base/entry";
import { instanceDirectories } from "@boxship/base/instance-directories";
import { socketAnswers } from "@boxship/base/socket-answers";
import { Failure } from "../failure.ts";
import type { Instance } from "../instance.ts";

/** How long a daemon may take until its socket answers: it may have fifty containers to find again. */
const START_TIMEOUT_MS = 60_000;

/** The daemon's flags for an instance. */
export function daemonFlags({ name, root, runDir }: Instance): readonly string[] {
  return ["--name", name, "--run-dir", runDir, ...(root === undefined ? [] : ["--root", root])];
}

/** Why a daemon ended: the last thing that its log says, in words. */
function lastWords(log: string, from: number): { readonly reason: string; readonly remedy?: string } {
  const lines = readFileSync(log).subarray(from).toString().trimEnd().split("\n");
  for (const line of lines.reverse()) {
    try {
      const { level, msg, remedy } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      if (level !== "error" || typeof msg !== "string") continue;
      return { reason: msg, ...(typeof remedy === "string" && { remedy }) };
    } catch {
      if (line.trim() !== "") return { reason: line.trim() };
    }
  }
  return { reason: "it ended without a word" };
}

/** The process id that the daemon wrote once it was ready. */
function pidOf({ runDir }: Instance): number | undefined {
  try {
    return Number(readFileSync(join(runDir, "daemon.pid"), "utf8"));
  } catch {
    return undefined; // none is ready
  }
}

/** Root's own directory, or the user's; whether nobody else can write there is the daemon's to check. */
function makeRunDirectory({ name, runDir }: Instance, socketPath: string): void {
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot && runDir === instanceDirectories(name, { env: {}, uid: 0 }).runDir) {
    throw new Failure(`the engine is not running (nobody answers at ${socketPath}), and starting it needs root`, {
      remedy: "run this command once with sudo, or start the engine as a service",
    });
  }
  mkdirSync(runDir, { recursive: true, mode: isRoot ? 0o711 : 0o700 });
}

/** The daemon ended instead of answering. */
export class StartFailure extends Failure {}

interface Launched {
  readonly child: ChildProcess;
  readonly log: string;
  /** Where this daemon's words begin in the log. */
  readonly from: number;
}

function launch(instance: Instance, more: readonly string[]): Launched {
  const log = join(instance.runDir, "daemon.log");
  const output = openSync(log, "a", 0o600);
  const from = statSync(log).size;
  const [file, ...args] = daemonCommand();
  const child = spawn(file, [...args, ...daemonFlags(instance), ...more], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  return { child, log, from };
}

/**
 * Removes an instance whose daemon cannot start, by a daemon that does only that, and waits until it has.
 *
 * @throws Failure with the last thing that its log says
 */
export async function resetByDaemon(instance: Instance, socketPath: string): Promise<void> {
  makeRunDirectory(instance, socketPath);
  const { child, log, from } = launch(instance, ["--reset"]);
  const [status] = (await once(child, "exit")) as [number | null];
  if (status === 0) return;
  const { reason, remedy } = lastWords(log, from);
  throw new Failure(`the instance could not be removed: ${reason.replace(/^cannot start: /, "")}`, {
    remedy: remedy ?? `see its log, ${log}`,
  });
}

/**
 * Starts the daemon of an instance in the background and waits until its socket answers. Others may start it at the
 * same moment: whoever loses finds the winner's socket, and waits until its own has ended, which would otherwise come up
 * should the winner be stopped at once.
 *
 * @throws Failure naming what the daemon's log says, and where the log is
 */
export async function startDaemon(instance: Instance, socketPath: string): Promise<void> {
  makeRunDirectory(instance, socketPath);
  const { child, log, from } = launch(instance, []);
  let ended = false;
  child.once("exit", () => (ended = true));
  child.once("error", () => (ended = true));
  child.unref();
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (let wait = 5; performance.now() < deadline; wait = Math.min(wait * 1.5, 100)) {
    if ((await socketAnswers(socketPath)) && (ended || pidOf(instance) === child.pid)) return;
    const words = ended ? lastWords(log, from) : undefined;
    // Somebody else's daemon was faster; it is about to answer.
    if (words !== undefined && !words.reason.includes(`another daemon is using ${instance.runDir}`)) {
      throw new StartFailure(`the engine could not be started: ${words.reason.replace(/^cannot start: /, "")}`, {
        remedy: words.remedy ?? `see its log, ${log}`,
      });
    }
    await delay(wait);
  }
  throw new Failure(`the engine did not answer at ${socketPath} within ${START_TIMEOUT_MS / 1000} seconds`, {
    remedy: `see its log, ${log}`,
  });
}
