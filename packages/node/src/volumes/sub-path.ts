import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import {
  bindMount,
  descriptorPath,
  type Fd,
  FileType,
  fstat,
  isMountPoint,
  openInRoot,
  releaseMount,
} from "@boxship/kernel";

/**
 * Binds what is at a path inside a volume to a place of the node's, through a descriptor that was opened without leaving the
 * volume: whoever writes in the volume cannot make the container see anything else, however he exchanges links meanwhile.
 * Missing directories are made.
 *
 * @param place of the node's, where nothing is yet or what an earlier call has bound
 */
export function bindSubPath(volume: string, path: string, place: string): string {
  if (path.startsWith("/") || path.split("/").includes("..")) {
    throw new FailedPrecondition(`subPath ${JSON.stringify(path)} must be inside of its volume`);
  }
  if (existsSync(place) && isMountPoint(place)) return place;
  using found = openOrMake(volume, path);
  const isDirectory = (fstat(found).mode & FileType.Mask) === FileType.Directory;
  mkdirSync(isDirectory ? place : dirname(place), { recursive: true, mode: 0o755 });
  if (!isDirectory && !existsSync(place)) closeSync(openSync(place, "wx", 0o644));
  bindMount({ source: descriptorPath(found), target: place });
  return place;
}

function openOrMake(volume: string, path: string): Fd {
  try {
    return openInRoot(volume, path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  for (let depth = 1; depth <= parts.length; depth++) {
    using parent = openInRoot(volume, parts.slice(0, depth - 1).join("/") || ".");
    try {
      const made = join(descriptorPath(parent), parts[depth - 1] ?? "");
      mkdirSync(made, { mode: 0o755 });
      // Whoever may write in the volume may write there; the umask has no say.
      chmodSync(made, statSync(volume).mode & 0o7777);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
  return openInRoot(volume, path);
}

/** Takes away what was bound below a directory. */
export async function releaseSubPaths(directory: string): Promise<void> {
  for (const container of await namesIn(directory)) {
    for (const place of await namesIn(join(directory, container))) {
      const path = join(directory, container, place);
      while (isMountPoint(path)) await releaseMount(path);
    }
  }
}

/** Nothing where there is no directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
