import type { ApiClient } from "./api-client/client.ts";
import type { ConfigFile } from "./credentials/config-file.ts";
import type { Endpoint, Instance } from "./instance.ts";

/** Everything that a command may touch outside of itself. */
export interface Context {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly instance: Instance;
  readonly endpoint: Endpoint;
  /** The engine; connects with the first request and starts the daemon if nobody answers. */
  readonly api: ApiClient;
  /** The user's `config.json`: detach keys, default formats, credentials. */
  readonly config: () => Promise<ConfigFile>;
}

/** Writes a line to standard output. */
export function print(context: Context, line: string): void {
  context.stdout.write(`${line}\n`);
}

/** Writes a line to standard error. */
export function warn(context: Context, line: string): void {
  context.stderr.write(`${line}\n`);
}
