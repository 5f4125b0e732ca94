import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileIfOther } from "./atomic-file.ts";
import { systemCode } from "./errors.ts";

/** A cluster that is meant to be up: kept below its directory from `boxship up` to `boxship down`. */
export interface ClusterRecord {
  /** What its process is started with. */
  readonly flags: readonly string[];
  readonly server: string;
  /** The administrator's. */
  readonly kubeconfig: string;
}

const recordPath = (directory: string): string => join(directory, "up.json");

/** Where a cluster of an instance keeps its state. @param root of the instance */
export const clusterDirectory = (root: string): string => join(root, "cluster");

export async function writeClusterRecord(directory: string, record: ClusterRecord): Promise<void> {
  await writeFileIfOther(recordPath(directory), `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** @returns undefined where none is meant to be up */
export async function readClusterRecord(directory: string): Promise<ClusterRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordPath(directory), "utf8")) as ClusterRecord;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function removeClusterRecord(directory: string): Promise<void> {
  await rm(recordPath(directory), { force: true });
}
