import { Readable } from "node:stream";
import { type Ran, runProgram } from "@boxship/testkit";
import { runKubectl } from "../run-kubectl.ts";

export interface RunHere {
  readonly kubeconfig: string;
  readonly home: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Told of output as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Our kubectl in this process: what it prints, and its exit status. */
export async function runHere(args: readonly string[], options: RunHere): Promise<Ran> {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts) => ({
    write(data: string | Uint8Array, taken?: () => void) {
      const text = typeof data === "string" ? data : Buffer.from(data).toString();
      texts[name] += text;
      if (name === "stdout") options.onOutput?.(text);
      taken?.();
    },
  });
  const status = await runKubectl(args, {
    stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env: { PATH: process.env["PATH"], KUBECONFIG: options.kubeconfig, HOME: options.home, ...options.env },
    run: (program, words, { env } = {}) => runProgram([program, ...words], { env: { ...options.env, ...env } }),
    signal: options.signal,
  });
  return { status, ...texts };
}
