import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "@boxship/base";
import type { ContainerStatus } from "@boxship/cri";
import { LogRotation } from "@boxship/runtime";
import type { NodeContext } from "../agent/node-context.ts";

const MOST_BYTES = 10 << 20;
const MOST_FILES = 5;

/** Keeps the logs of running containers within bounds: 5 files of 10 MiB each, all but the newest compressed. */
export class ContainerLogs implements AsyncDisposable {
  readonly #context: Pick<NodeContext, "clock" | "cri" | "logger">;
  readonly #rotations = new Map<string, LogRotation>();
  readonly #ending = new Set<Promise<void>>();

  constructor(context: Pick<NodeContext, "clock" | "cri" | "logger">) {
    this.#context = context;
  }

  /** From here on these are the ones that run. */
  follow(running: readonly Pick<ContainerStatus, "id" | "logPath">[]): void {
    const { cri, clock, logger } = this.#context;
    for (const { id, logPath } of running) {
      if (logPath === "" || this.#rotations.has(id)) continue;
      const reopen = async (): Promise<void> => void (await cri.reopenContainerLog({ containerId: id }));
      const limits = { maxSize: MOST_BYTES, maxFile: MOST_FILES, compress: true };
      this.#rotations.set(id, new LogRotation({ path: logPath, ...limits, reopen, clock, logger }));
    }
    const ids = new Set(running.map(({ id }) => id));
    for (const [id, rotation] of this.#rotations) if (!ids.has(id)) this.#end(id, rotation);
  }

  #end(id: string, rotation: LogRotation): void {
    this.#rotations.delete(id);
    const ended = rotation[Symbol.asyncDispose]().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [id, rotation] of this.#rotations) this.#end(id, rotation);
    await Promise.all(this.#ending);
  }
}

/** A log, with what was rotated away of it. */
export async function removeLog(path: string): Promise<void> {
  const directory = dirname(path);
  const name = basename(path);
  try {
    for (const one of await readdir(directory)) {
      if (one === name || one.startsWith(`${name}.`)) await rm(join(directory, one), { force: true });
    }
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
