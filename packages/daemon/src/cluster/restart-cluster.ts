import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { clusterCommand, type Logger } from "@boxship/base";
import { clusterDirectory, readClusterRecord } from "@boxship/base/cluster-record";
import { spawnProcess, tryLockFile } from "@boxship/kernel";
import type { DaemonOptions } from "../options.ts";

/** Starts the cluster of an instance that is meant to be up and is not: after a reboot, or a crash. */
export async function restartCluster(
  { root, runDir }: Pick<DaemonOptions, "root" | "runDir">,
  logger: Logger,
): Promise<void> {
  const directory = clusterDirectory(root);
  try {
    const record = await readClusterRecord(directory);
    if (record === undefined) return;
    const lock = tryLockFile(join(directory, "lock"));
    if (lock === undefined) return;
    lock[Symbol.dispose]();
    const [file, ...args] = clusterCommand();
    const output = openSync(join(runDir, "cluster.log"), "a", 0o600);
    try {
      const stdio = { 1: output, 2: output };
      const started = spawnProcess({ file, args: [...args, ...record.flags], cwd: "/", setsid: true, stdio });
      started.unref();
      logger.info("the cluster is started again", { pid: started.pid, server: record.server });
    } finally {
      closeSync(output);
    }
  } catch (error) {
    logger.error("the cluster cannot be started again", { error, directory });
  }
}
