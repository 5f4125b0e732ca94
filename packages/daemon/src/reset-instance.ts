import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { asBoxshipError, Internal, type Logger, systemClock, systemCode } from "@boxship/base";
import { instanceDirectories } from "@boxship/base/instance-directories";
import { podMounts, releaseStrayProcesses } from "@boxship/engine";
import { openCgroup, releaseMountsBelow } from "@boxship/kernel";
import { removeTraces } from "@boxship/network";
import { emptyDirectoryAway } from "@boxship/storage";
import type { DaemonOptions } from "./options.ts";

type Instance = Pick<DaemonOptions, "name" | "root" | "runDir">;

/**
 * Takes an instance out of the kernel by its name alone, for a state that no engine can open: kills what is in its control
 * group, removes links, the nftables table and mounts. Files are left to {@link removeInstance}. What fails is logged, and the rest is done all the same.
 *
 * @throws Internal when something failed
 */
export async function forceReset({ name, root, runDir }: Instance, logger: Logger): Promise<void> {
  const group = openCgroup(`/${name}`);
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["its processes", () => (group.exists() ? group.killAll() : Promise.resolve())],
    ["its pods' processes", async () => releaseStrayProcesses(podMounts(runDir), new Set())],
    ["its networks", () => removeTraces({ name, runDir: join(runDir, "network"), clock: systemClock })],
    ["its mounts", () => Promise.all([root, runDir].map(releaseMountsBelow))],
    ["its control group", () => group.delete()],
  ];
  const failed: string[] = [];
  for (const [what, step] of steps) {
    try {
      await step();
    } catch (error) {
      const { message, remedy } = asBoxshipError(error);
      logger.error(`${what} could not be removed: ${message}`, { instance: name, remedy });
      failed.push(`${what} (${message})`);
    }
  }
  if (failed.length > 0) throw new Internal(`something of instance ${name} stays: ${failed.join(", ")}`);
}

/**
 * The directories of an instance that has been reset. The usual ones, which are ours, go; others, which somebody may have
 * made for us, stay, empty.
 */
export async function removeInstance({ name, root, runDir }: Instance): Promise<void> {
  const usual = instanceDirectories(name, { env: process.env });
  for (const directory of [root, runDir]) {
    await releaseMountsBelow(directory);
    await emptyDirectoryAway(directory);
    if (directory !== usual.root && directory !== usual.runDir) continue;
    await rmdir(directory).catch((error: unknown) => {
      // A mount point of the host's, or one whose user writes there.
      if (!["EBUSY", "ENOTEMPTY", "ENOENT"].includes(systemCode(error) ?? "")) throw error;
    });
  }
}
