import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { RunOptions } from "@boxship/kubectl";

/** Editors have the terminal; what others print is collected. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { terminal = false, input = false, text: given, env = {} }: RunOptions = {},
) {
  const child = spawn(program, args, {
    stdio: terminal ? "inherit" : [input ? "inherit" : given === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  // One that does not read to the end is no failure of ours.
  child.stdin?.on("error", () => undefined).end(given);
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? (signal === null ? 1 : 130)));
  });
  const [stdout, stderr, status] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    ended,
  ]);
  return { status, stdout, stderr };
}
