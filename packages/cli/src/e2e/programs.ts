import { spawn } from "node:child_process";
import { once } from "node:events";
import { cliProgram, type Ran, type RunOptions, runProgram } from "@boxship/testkit";

/** This checkout's command line. */
export const boxship: readonly string[] = cliProgram();

/** Runs the command line on an engine's socket. */
export function onSocket(path: string): (args: readonly string[], options?: RunOptions) => Promise<Ran> {
  return (args, options) => runProgram([...boxship, "--host", `unix://${path}`, ...args], options);
}

/** A program on a terminal of its own, as `script` gives it one. */
export interface OnTerminal {
  /** Types a text once the pattern has been shown. */
  type(after: RegExp, text: string): Promise<void>;
  /** Types a text again and again until the pattern is shown: a program that starts may not read yet. */
  typeUntil(text: string, shown: RegExp): Promise<void>;
  /** Waits for its end; what it showed, and its exit status. */
  end(): Promise<{ readonly status: number; readonly output: string }>;
}

export function onTerminal(command: readonly string[], timeout = 60_000): OnTerminal {
  const line = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const child = spawn("script", ["-qefc", line, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"], timeout });
  let output = "";
  let seen = 0;
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, "close").then(([status]) => (status as number | null) ?? 124);
  const find = (pattern: RegExp): boolean => {
    const found = pattern.exec(output.slice(seen));
    if (found !== null) seen += found.index + found[0].length;
    else if (child.exitCode !== null) throw new Error(`ended before ${pattern} was shown:\n${output}`);
    return found !== null;
  };
  const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
  return {
    async type(after, text) {
      while (!find(after)) await pause(20);
      child.stdin.write(text);
    },
    async typeUntil(text, shown) {
      for (let waited = 0; !find(shown); waited++) {
        if (waited % 25 === 0) child.stdin.write(text);
        await pause(20);
      }
    },
    async end() {
      const status = await ended;
      return { status, output };
    },
  };
}
