import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

export interface Ran {
  /** Exit status, or 128 + signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds, then it is killed. @default 120_000 */
  readonly timeout?: number;
  readonly cwd?: string;
}

/** Runs a program to its end; a failure is a status, not an exception. */
export function runProgram(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [file = "", ...args] = command;
  return new Promise((done, fail) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      timeout: options.timeout ?? 120_000,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", fail);
    child.on("close", (code, signal) => {
      const status = code ?? 128 + (signal === "SIGKILL" ? 9 : 15);
      done({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
    // A program may end before it has read its input.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
  });
}

/** The repository's root. */
export const repositoryRoot = resolve(import.meta.dirname, "../../..");

const unpackedDocker = (set: string): string => resolve(repositoryRoot, `.cache/${set}/root/usr/bin/docker`);
const INSTALLED_DOCKER = "/usr/bin/docker";

/** Debian 12's `docker`, version 20.10; where it is neither unpacked nor installed, the place where it would be. */
export const OLD_DOCKER = existsSync(unpackedDocker("parts")) ? unpackedDocker("parts") : INSTALLED_DOCKER;

/** Docker's own command line: the newest that the setup found; `undefined` where there is none. */
export function dockerProgram(): string | undefined {
  return [...["clients", "parts"].map(unpackedDocker), INSTALLED_DOCKER].find((path) => existsSync(path));
}

/**
 * A runner of Docker's own command line against the engine on `socketPath`, with compose and buildx where the setup
 * found them. Returns `undefined` where no client is installed: such a test is skipped with that reason.
 */
export function dockerCli(
  socketPath: string,
): ((args: readonly string[], options?: RunOptions) => Promise<Ran>) | undefined {
  const program = dockerProgram();
  if (program === undefined) return undefined;
  const env = {
    DOCKER_HOST: `unix://${socketPath}`,
    DOCKER_CONFIG: resolve(repositoryRoot, ".cache/clients/home/.docker"),
  };
  return (args, options = {}) => runProgram([program, ...args], { ...options, env: { ...env, ...options.env } });
}
