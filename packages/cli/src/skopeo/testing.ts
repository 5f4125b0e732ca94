import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { ApiClient } from "../api-client/client.ts";
import type { Context } from "../context.ts";
import { loadConfig } from "../credentials/config-file.ts";
import { Failure } from "../failure.ts";
import type { Endpoint } from "../instance.ts";
import { runSkopeo } from "./run-skopeo.ts";

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
    if (!(error instanceof Failure)) throw error;
    status = error.status;
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
