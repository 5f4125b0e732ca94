import { Readable } from "node:stream";
import type { RunHelm } from "@boxship/kustomize";
import { runProgram } from "./run-program.ts";

/** Helm for charts of kustomizations: in this process, or the program that the user names. */
export function helmFor(command: string | undefined): RunHelm {
  if (command !== undefined) return (words, env) => runProgram(command, words, { env });
  return async (words, env) => {
    const { runHelm } = await import("@boxship/helm");
    const texts = { stdout: "", stderr: "" };
    const sink = (name: keyof typeof texts) => ({ write: (text: string) => void (texts[name] += text) });
    const io = {
      stdin: Readable.from([]),
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      env: { ...process.env, ...env },
    };
    return { status: await runHelm(words, { ...io, run: runProgram }), ...texts };
  };
}
