import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@boxship/testkit";
import type { Context } from "./context.ts";

/** `runc spec` with the given command, no terminal, and `tree` as its root. @returns the bundle's directory */
export async function makeBundle(
  context: Context,
  name: string,
  tree: string,
  args: readonly string[],
): Promise<string> {
  const bundle = context.work.join(`bundle-${name}`);
  await mkdir(bundle);
  const made = await runProgram(["runc", "spec", "--bundle", bundle]);
  if (made.status !== 0) throw new Error(`runc spec: ${made.stderr}`);
  const path = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as {
    process: { terminal: boolean; args: readonly string[]; rlimits?: unknown };
    root: { path: string; readonly: boolean };
  };
  config.process = { ...config.process, terminal: false, args };
  // A raised limit is refused where the machine forbids it.
  delete config.process.rlimits;
  config.root = { path: tree, readonly: true };
  await writeFile(path, JSON.stringify(config));
  return bundle;
}

/** Starts bare runtimes from a small process, see `bare-launcher.ts`. */
export class BareLauncher implements AsyncDisposable {
  readonly #child: ChildProcess;
  #count = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<BareLauncher> {
    const hybrid = statSync("/sys/fs/cgroup/unified", { throwIfNoEntry: false }) !== undefined;
    const launcher = join(import.meta.dirname, "bare-launcher.ts");
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", launcher, ...(hybrid ? ["hide-v2"] : [])];
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    const child = spawn("unshare", ["--mount", "--propagation", "slave", ...node], { stdio: [...stdio] });
    await once(child, "message");
    return new BareLauncher(child);
  }

  /** `RUNTIME run` of the bundle; milliseconds from start to end. */
  async run(runtime: string, state: string, bundle: string): Promise<number> {
    const args = ["--root", state, "run", "--bundle", bundle, `bench-${process.pid}-${this.#count++}`];
    this.#child.send({ file: runtime, args });
    const [answer] = (await once(this.#child, "message")) as [{ ms: number; status: { code?: number } }];
    if (answer.status.code !== 0) throw new Error(`${runtime} run: ${JSON.stringify(answer.status)}`);
    return answer.ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, "exit");
  }
}
