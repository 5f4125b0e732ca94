import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { BoxshipError } from "@boxship/base/errors";
import { ApiClient } from "../api-client/client.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { loadConfig } from "../credentials/config-file.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import type { Endpoint } from "../instance.ts";
import { runSkopeo } from "../skopeo/run-skopeo.ts";

export interface Told {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface InProcess {
  readonly env?: NodeJS.ProcessEnv;
  /** Socket of the engine. @default none */
  readonly socket?: string;
  readonly input?: string;
}

/** Runs a command of the program in this process: starting one takes longer than most of them. */
export async function inProcess(
  run: (context: Context) => Promise<void>,
  { env = process.env, socket = "/nonexistent/engine.sock", input = "" }: InProcess = {},
): Promise<Told> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const texts = Promise.all([buffer(stdout), buffer(stderr)]);
  const endpoint: Endpoint = { kind: "unix", path: socket };
  using api = new ApiClient(endpoint);
  const context = {
    stdin,
    stdout,
    stderr,
    env,
    endpoint,
    api,
    instance: { name: "test", root: undefined, runDir: "/nonexistent" },
    config: () => loadConfig(env),
  } as unknown as Context;
  let status = 0;
  try {
    await run(context);
  } catch (error) {
    if (!(error instanceof Failure || error instanceof BoxshipError)) throw error;
    status = error instanceof Failure ? error.status : 1;
    if (error.message !== "") stderr.write(`${error.message}\n`);
  }
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { status, stdout: out.toString(), stderr: err.toString() };
}

export function skopeoInProcess(args: readonly string[], options: InProcess = {}): Promise<Told> {
  return inProcess((context) => runSkopeo(context, args), options);
}

/** Runs one command of the table with a command line. */
export function commandInProcess(command: Command, args: readonly string[], options: InProcess = {}): Promise<Told> {
  return inProcess(async (context) => {
    const { values, changed, operands } = parseFlags(command.flags, args, {
      interspersed: command.interspersed ?? true,
    });
    await command.run(context, { flags: values, changed, operands, path: "test" });
  }, options);
}
