import { readlinkSync } from "node:fs";
import { posix } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { descriptorPath, mkdirat, mknodat, openInRoot } from "@boxship/kernel";

const DIRECTORY_MODE = 0o755;
const REGULAR_FILE = 0o100_755;

/**
 * The place in a container's file tree where something is to be mounted, made when it is missing: a path of the host that
 * holds no link, and no link of the container leads out of its root.
 *
 * @param root an absolute path on the host
 * @param isDirectory what to make
 */
export function mountTarget(root: string, destination: string, isDirectory: boolean): string {
  const found = placeIn(root, destination);
  if (found !== undefined) return found;
  const parent = posix.dirname(destination);
  mountTarget(root, parent, true);
  makeIn(root, parent, posix.basename(destination), isDirectory);
  // A link that leads nowhere is the one thing that is neither there nor can be made.
  const made = placeIn(root, destination);
  if (made === undefined) throw new FailedPrecondition(`${destination} is a link that leads nowhere`);
  return made;
}

function placeIn(root: string, path: string): string | undefined {
  try {
    using place = openInRoot(root, path);
    return readlinkSync(descriptorPath(place));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function makeIn(root: string, parent: string, name: string, isDirectory: boolean): void {
  using directory = openInRoot(root, parent);
  try {
    if (isDirectory) mkdirat(directory, name, DIRECTORY_MODE);
    else mknodat(directory, name, REGULAR_FILE);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}
