import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A program in the background, its output in a file. Disposing ends it: SIGTERM, and SIGKILL after ten seconds. */
export interface Background extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when it has ended, with its exit status or 128 + signal. Whoever waits for it is kept alive meanwhile. */
  waitForEnd(): Promise<number>;
  /** The same for who only wants to be told. */
  whenEnded(): Promise<number>;
  /** The status once it has ended. */
  readonly status: number | undefined;
  kill(signal: NodeJS.Signals): void;
}

const signals: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function statusOf(child: ChildProcess): number | undefined {
  return child.exitCode ?? (child.signalCode === null ? undefined : 128 + (signals[child.signalCode] ?? 0));
}

export async function startProgram(
  command: readonly string[],
  options: { readonly log: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Background> {
  const [file = "", ...args] = command;
  const log = openSync(options.log, "a");
  const child = spawn(file, args, { stdio: ["ignore", log, log], env: { ...process.env, ...options.env } });
  closeSync(log);
  await once(child, "spawn");
  const ended = once(child, "exit").then(() => statusOf(child) ?? 0);
  // Nobody may have to wait for it just because it was started; who does wait must not end before it.
  child.unref();
  const waitForEnd = (): Promise<number> => {
    child.ref();
    return ended;
  };
  return {
    pid: child.pid ?? 0,
    waitForEnd,
    whenEnded: () => ended,
    get status() {
      return statusOf(child);
    },
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (statusOf(child) !== undefined) return;
      child.kill("SIGTERM");
      const stopped = await Promise.race([waitForEnd().then(() => true), delay(10_000, false, { ref: false })]);
      if (!stopped) child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * Waits until `ready` says so.
 *
 * @throws Error with the end of the log when the program ends first or the time is over
 */
export async function waitUntilReady(
  program: Background,
  log: string,
  ready: () => Promise<boolean>,
  timeout = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    if (await ready().catch(() => false)) return;
    const late = performance.now() > deadline;
    if (late || program.status !== undefined) {
      const tail = readFileSync(log, "utf8").split("\n").slice(-30).join("\n");
      throw new Error(`not ready: ${late ? `${timeout} ms are over` : `ended with ${program.status}`}\n${tail}`);
    }
    await delay(20);
  }
}
