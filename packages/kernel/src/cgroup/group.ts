import { readdirSync, rmdirSync } from "node:fs";
import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Conflict, InvalidArgument, systemCode } from "@boxship/base";

/** What both implementations do with directories of groups. */

/** Returns the name in its normal form. Throws InvalidArgument for relative names, the root, and `..`. */
export function groupName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (!name.startsWith("/") || parts.length === 0 || parts.includes("..") || name.includes("\0")) {
    throw new InvalidArgument(`cgroup name ${JSON.stringify(name)} is not an absolute path inside the tree`, {
      remedy: "write it like /boxship/name",
    });
  }
  return `/${parts.join("/")}`;
}

/** The group and its ancestors, outermost first, the root left out. */
export function withAncestors(name: string): readonly string[] {
  const parts = name.split("/").slice(1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENODEV";
}

async function children(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Ids of the processes in a group and below it. */
export async function processesIn(directory: string): Promise<readonly number[]> {
  const own = await readFile(join(directory, "cgroup.procs"), "utf8").catch((error: unknown) => {
    if (isGone(error)) return "";
    throw error;
  });
  const ids = own.split("\n").filter((line) => line !== "");
  const below = await Promise.all((await children(directory)).map(processesIn));
  // A process of another pid namespace that we cannot name is 0.
  return [...new Set([...ids.map(Number), ...below.flat()])].filter((pid) => pid !== 0);
}

const REMOVE_TRIES = 9;

/** Removes a group and those below it. A process that was killed leaves its group only when it has really ended. */
export async function removeGroup(directory: string, name: string): Promise<void> {
  for (const child of await children(directory)) await removeGroup(child, name);
  for (let attempt = 1; ; attempt++) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (isGone(error)) return;
      if (systemCode(error) !== "EBUSY") throw error;
      if (attempt === REMOVE_TRIES) {
        throw new Conflict(`cgroup ${name} still holds processes`, {
          subject: { kind: "cgroup", name },
          cause: error,
          remedy: "end them first",
        });
      }
    }
    await delay(2 ** attempt);
  }
}

/** Removes a group and those below it, a rmdir each, microseconds together. @returns false when a process is left in it */
export function removeGroupNow(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    const code = systemCode(error);
    if (code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
  }
  const below = childrenNow(directory);
  return below.length > 0 && below.every(removeGroupNow) && removeGroupNow(directory);
}

function childrenNow(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
