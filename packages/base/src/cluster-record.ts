import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileIfOther } from "./atomic-file.ts";
import { ResourceExhausted, systemCode } from "./errors.ts";

/** A cluster that is meant to be up: kept below its directory from `boxship up` to `boxship down`. */
export interface ClusterRecord {
  /** What its process is started with. */
  readonly flags: readonly string[];
  readonly server: string;
  /** The administrator's. */
  readonly kubeconfig: string;
}

const recordPath = (directory: string): string => join(directory, "up.json");
const heldPath = (directory: string): string => join(directory, "up.json.held");

/** Where a cluster of an instance keeps its state. @param root of the instance */
export const clusterDirectory = (root: string): string => join(root, "cluster");

export async function writeClusterRecord(directory: string, record: ClusterRecord): Promise<void> {
  const text = `${JSON.stringify(record)}\n`;
  try {
    await writeFileIfOther(recordPath(directory), text, { mode: 0o600 });
    await rm(heldPath(directory), { force: true });
  } catch (error) {
    if (!(error instanceof ResourceExhausted)) throw error;
    await writeInPlaceOfHeld(directory, text, error);
  }
}

/** What is held has its room on the disk; until it is whole there is no record. */
async function writeInPlaceOfHeld(directory: string, text: string, full: ResourceExhausted): Promise<void> {
  try {
    await using file = await open(heldPath(directory), "r+");
    await file.write(text, 0);
    await file.truncate(Buffer.byteLength(text));
    await file.sync();
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? full : error;
  }
  await rename(heldPath(directory), recordPath(directory));
}

/** While somebody starts the cluster nobody else does. What was kept stays for {@link writeClusterRecord}, on a disk that is full. */
export async function holdClusterRecord(directory: string): Promise<void> {
  await rename(recordPath(directory), heldPath(directory)).catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
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
  await rm(heldPath(directory), { force: true });
}
