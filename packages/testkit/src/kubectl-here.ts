import { Readable } from "node:stream";
import { type Ran, runProgram } from "./run-program.ts";

export interface KubectlHere {
  readonly kubeconfig: string;
  readonly home: string;
  readonly input?: string | Uint8Array | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal;
  /** Told of output as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** This checkout's own kubectl in the test's process: what it prints, and its exit status. */
export async function kubectlHere(args: readonly string[], options: KubectlHere): Promise<Ran> {
  // Only now: most tests import the test kit and need none of it.
  const { runKubectl } = await import("@boxship/kubectl");
  const written: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  const sink = (name: keyof typeof written) => ({
    write(data: string | Uint8Array, taken?: () => void) {
      written[name].push(Buffer.from(data as Uint8Array));
      if (name === "stdout") options.onOutput?.(Buffer.from(data as Uint8Array).toString());
      taken?.();
    },
  });
  const status = await runKubectl(args, {
    stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input as Uint8Array)]),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env: { PATH: process.env["PATH"], KUBECONFIG: options.kubeconfig, HOME: options.home, ...options.env },
    async run(program, words, { env, terminal = false } = {}) {
      const ran = await runProgram([program, ...words], { env: { ...options.env, ...env } });
      // Who has the terminal writes there.
      if (terminal) for (const name of ["stdout", "stderr"] as const) written[name].push(Buffer.from(ran[name]));
      return ran;
    },
    signal: options.signal,
  });
  const text = (name: keyof typeof written): string => Buffer.concat(written[name]).toString();
  return { status, stdout: text("stdout"), stderr: text("stderr") };
}
