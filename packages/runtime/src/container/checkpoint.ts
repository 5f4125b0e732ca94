import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { errorMessage, FailedPrecondition, findProgram, Unsupported } from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import type { CheckpointRequest } from "../contract.ts";
import { type Context, RUNTIME_ENVIRONMENT, type RuntimeBinary, runtimeCommand } from "./context.ts";
import { cleanMessage } from "./runtime-error.ts";

const CHECK_TIMEOUT_MS = 20_000;
const MISSING = "CRIU is not installed";

/** CRIU, which writes the state of processes to files and makes processes of such files, where the host has it. */
export class Criu {
  #checked: Promise<string | undefined> | undefined;

  /** The environment in which a runtime finds it. */
  environment(): Readonly<Record<string, string>> {
    const found = findProgram("criu");
    const path = RUNTIME_ENVIRONMENT["PATH"] ?? "";
    return { ...RUNTIME_ENVIRONMENT, PATH: found === undefined ? path : `${dirname(found)}${delimiter}${path}` };
  }

  /** @throws Unsupported, FailedPrecondition why containers of this runtime cannot be checkpointed and restored here */
  async require(runtime: RuntimeBinary): Promise<void> {
    if (runtime.kind !== "runc") {
      throw new FailedPrecondition(`containers under ${runtime.name} have no checkpoints: only runc makes them here`, {
        subject: { kind: "runtime", name: runtime.name },
        remedy: "make the container with --runtime runc",
      });
    }
    const reason = await this.#reason();
    if (reason === undefined) return;
    const message = `containers cannot be checkpointed on this host: ${reason}`;
    if (reason === MISSING) throw new Unsupported(message, { remedy: "install CRIU: apt-get install criu" });
    throw new FailedPrecondition(message, { remedy: "try a newer CRIU, or another kernel: criu check" });
  }

  /** Why it does not work here. A failure is looked at again: it may have been installed meanwhile. */
  async #reason(): Promise<string | undefined> {
    this.#checked ??= check();
    const reason = await this.#checked;
    if (reason !== undefined) this.#checked = undefined;
    return reason;
  }
}

async function check(): Promise<string | undefined> {
  const file = findProgram("criu");
  if (file === undefined) return MISSING;
  try {
    const { code, stdout, stderr } = await runProcess({
      file,
      args: ["check"],
      env: RUNTIME_ENVIRONMENT,
      timeout: CHECK_TIMEOUT_MS,
    });
    if (code === 0) return undefined;
    return `criu check: ${firstError(Buffer.concat([stdout, stderr]).toString()) ?? "it failed and gave no reason"}`;
  } catch (error) {
    return `criu check: ${errorMessage(error)}`;
  }
}

const COMPLAINT = /^(?:\(\d+\.\d+\)\s+)?(?:\d+: )?Error \([^)]*\): (.*)$/gm;

/**
 * The first of CRIU's complaints, which is the cause of those that follow; but that it cannot raise a limit of its own,
 * which it says first on hosts that forbid that, stops nothing.
 */
function firstError(log: string): string | undefined {
  const complaints = [...log.matchAll(COMPLAINT)].map(([, text = ""]) => text.trim());
  return complaints.find((text) => !text.startsWith("rlimit: ")) ?? complaints[0];
}

/** See {@link ContainerRuntimeApi.checkpoint}. */
export async function checkpointContainer(
  context: Context,
  id: string,
  request: CheckpointRequest,
  runtime: RuntimeBinary,
): Promise<void> {
  await context.criu.require(runtime);
  const work = join(request.directory, "work");
  await mkdir(work, { recursive: true, mode: 0o700 });
  const result = await runtimeCommand(
    context,
    runtime,
    [
      "checkpoint",
      `--image-path=${request.directory}`,
      `--work-path=${work}`,
      ...(request.exit ? [] : ["--leave-running"]),
      id,
    ],
    undefined,
    context.criu.environment(),
  );
  if (result.code === 0) return;
  const reason = firstError(readLog(join(work, "dump.log"))) ?? cleanMessage(result.stderr.toString());
  throw new FailedPrecondition(`container ${id} cannot be checkpointed: ${reason}`, {
    subject: { kind: "container", name: id },
  });
}

/** What CRIU says of a restore that failed; undefined when it said nothing. */
export function restoreFailure(workDirectory: string): string | undefined {
  return firstError(readLog(join(workDirectory, "restore.log")));
}

function readLog(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
