import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage } from "@boxship/base";
import { cgroupLayout, openCgroup } from "@boxship/kernel";
import { removeCgroup } from "./cgroup.ts";
import { conmonOf, endProcess } from "./conmon-process.ts";
import { type Context, type RuntimeBinary, runtimeCommand } from "./context.ts";
import { readExit } from "./exit-watch.ts";
import { checkId } from "./layout.ts";
import { killProcessesOf } from "./members.ts";
import { readRecord } from "./record.ts";

/**
 * Ends and removes everything of a container: its processes, conmon, cgroups, the runtime's state, the bundle, the exit
 * file. Every step is idempotent and the bundle goes last, so that a crash in between leaves a container that is found
 * and removed again.
 *
 * runc's and crun's own `delete` would do no more for a container without processes than what is done here without
 * starting a program: remove its cgroups and its state directory.
 */
export async function removeContainer(context: Context, id: string): Promise<void> {
  checkId("container", id);
  const { layout, exits, clock } = context;
  const record = readRecord(layout, id);
  if (record === undefined) {
    // Without a record conmon was never started.
    await forgetFiles(context, id);
    return;
  }
  const runtime = context.runtimes.get(record.runtime);
  const ended = readExit(layout, id) !== undefined;
  const group = openCgroup(record.cgroupsPath);
  // Without groups nothing tells at once whether processes are left.
  if (!ended || cgroupLayout() === "none" || !group.removeNow()) {
    await killProcessesOf(context, id, record);
    if (!ended) {
      await endConmon(context, id);
      await killProcessesOf(context, id, record);
    }
    await removeCgroup(group, clock);
  }
  if (runtime === undefined || runtime.kind === "other") await runtimeDelete(context, runtime, id);
  await rm(join(layout.stateRoot(record.runtime), id), { recursive: true, force: true });
  exits.forget(id);
  context.conmons.forget(id);
  if (runtime?.needsLauncher) context.launcher.used();
  await forgetFiles(context, id);
}

/** Its container is dead: it notices and writes the exit file, unless it still is at the runtime's `create`. */
async function endConmon(context: Context, id: string): Promise<void> {
  const conmon = conmonOf(context, id);
  if (conmon === undefined) return;
  await endProcess(context, conmon);
}

async function runtimeDelete(context: Context, runtime: RuntimeBinary | undefined, id: string): Promise<void> {
  if (runtime === undefined) return;
  try {
    await runtimeCommand(context, runtime, ["delete", "--force", id]);
  } catch (error) {
    context.logger.warn("runtime cannot delete a container", { container: id, reason: errorMessage(error) });
  }
}

async function forgetFiles({ layout }: Context, id: string): Promise<void> {
  await rm(layout.exitFile(id), { force: true });
  await rm(layout.bundle(id), { recursive: true, force: true });
}
