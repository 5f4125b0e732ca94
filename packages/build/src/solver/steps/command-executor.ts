import type { ExitStatus, OciMount } from "@boxship/runtime";
import type { BuildSession } from "../session.ts";
import type { WorkingRoot } from "../working-layer.ts";
import { SecretMask } from "./mask-secrets.ts";
import type { Command } from "./run-command.ts";

/**
 * How a command of a build is run on top of a root that is there. Promises of each of them:
 * - The command sees the root, what is mounted, its environment, user and directory, and reads nothing from standard input.
 * - Its output is told piece by piece while it runs. The promise settles when it has ended, with its status and the end of
 *   what it wrote.
 * - Then no process of it is left, whatever it started, and nothing of what was mounted is in the root.
 * - Aborting the session's signal kills it.
 */
export interface CommandExecutor {
  /** Whether commands get networks of their own; otherwise they have that of this process. */
  readonly ownNetworks: boolean;
  /** @throws Unsupported for what it cannot give a command */
  check(session: BuildSession, command: Command): void;
  run(session: BuildSession, root: WorkingRoot, command: Command, parts: CommandParts): Promise<CommandResult>;
}

/** What a command is given beside its words. */
export interface CommandParts {
  /** Absolute in the root, and there. */
  readonly cwd: string;
  readonly mounts: readonly OciMount[];
  /** More variables than the command's own. */
  readonly env: readonly string[];
  /** Its network's; undefined for the network of this process. */
  readonly namespace: string | undefined;
  /** What its output must not show. */
  readonly secrets: readonly Buffer[];
}

export interface CommandResult {
  readonly status: ExitStatus;
  readonly output: string;
}

/** The last of a command's output that is kept for the message of its failure, in bytes. */
const KEPT_OUTPUT = 8 << 10;

/** Tells of output as it comes, without the secrets in it, and keeps the end of it. */
export class OutputTail {
  readonly #session: BuildSession;
  readonly #vertex: string;
  readonly #masks: { readonly stdout: SecretMask; readonly stderr: SecretMask };
  #kept = Buffer.alloc(0);

  constructor(session: BuildSession, vertex: string, secrets: readonly Buffer[]) {
    this.#session = session;
    this.#vertex = vertex;
    this.#masks = { stdout: new SecretMask(secrets), stderr: new SecretMask(secrets) };
  }

  /** Settles when more of it can be taken. */
  push(stream: "stdout" | "stderr", data: Buffer): Promise<void> {
    return this.#tell(stream, this.#masks[stream].push(data));
  }

  /** There is no more. */
  async end(): Promise<void> {
    for (const stream of ["stdout", "stderr"] as const) await this.#tell(stream, this.#masks[stream].end());
  }

  async #tell(stream: "stdout" | "stderr", data: Buffer): Promise<void> {
    if (data.length === 0) return;
    await this.#session.tell({ kind: "log", vertex: this.#vertex, time: this.#session.now(), stream, data });
    this.#kept = Buffer.concat([this.#kept, data]).subarray(-KEPT_OUTPUT);
  }

  text(): string {
    return this.#kept.toString();
  }
}
