import { readlinkSync } from "node:fs";
import { posix } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base/errors";
import { AtFlag, descriptorPath, type Fd, fchownat, mkdirat, mknodat, openInRoot } from "@boxship/kernel";

const DIRECTORY_MODE = 0o755;
const REGULAR_FILE = 0o100_755;

/**
 * Opens the place in a container's file tree where something is to be mounted, and makes it when it is missing. No link of
 * the container leads out of its root.
 *
 * @param root an absolute path, itself trusted
 * @param isDirectory what to make
 * @param owner of what is made. @default this process's
 */
export function openMountTarget(
  root: string,
  destination: string,
  isDirectory: boolean,
  owner?: { readonly uid: number; readonly gid: number },
): Fd {
  const found = openPlace(root, destination);
  if (found !== undefined) return found;
  const parent = posix.dirname(destination);
  {
    using directory = openMountTarget(root, parent, true, owner);
    makeIn(directory, posix.basename(destination), isDirectory);
  }
  const made = openPlace(root, destination);
  if (made !== undefined && owner !== undefined) fchownat(made, "", owner.uid, owner.gid, AtFlag.EmptyPath);
  // A link that leads nowhere is the one thing that is neither there nor can be made.
  if (made === undefined) throw new FailedPrecondition(`${destination} is a link that leads nowhere`);
  return made;
}

/** The path on the host of {@link openMountTarget}; it holds no link. */
export function mountTarget(root: string, destination: string, isDirectory: boolean): string {
  using target = openMountTarget(root, destination, isDirectory);
  return readlinkSync(descriptorPath(target));
}

function openPlace(root: string, path: string): Fd | undefined {
  try {
    return openInRoot(root, path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function makeIn(directory: Fd, name: string, isDirectory: boolean): void {
  try {
    if (isDirectory) mkdirat(directory, name, DIRECTORY_MODE);
    else mknodat(directory, name, REGULAR_FILE);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}
