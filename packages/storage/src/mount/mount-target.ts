import { readlinkSync } from "node:fs";
import { posix } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  descriptorPath,
  type Fd,
  FileType,
  fchownat,
  fstat,
  mkdirat,
  mknodat,
  OpenFlag,
  openInRoot,
  readlinkat,
} from "@boxship/kernel";

const DIRECTORY_MODE = 0o755;
const REGULAR_FILE = 0o100_755;
/** As the kernel's own limit. */
const MOST_LINKS = 40;

/**
 * Opens the place in a container's file tree where something is to be mounted, and makes it when it is missing, also where
 * a link says. No link of the container leads out of its root.
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
  return openOrMake(root, destination, { isDirectory, owner, links: 0 });
}

interface Making {
  readonly isDirectory: boolean;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** That have been followed: a process inside can make new ones. */
  readonly links: number;
}

function openOrMake(root: string, destination: string, making: Making): Fd {
  const { isDirectory, owner, links } = making;
  if (links > MOST_LINKS) throw new InvalidArgument(`too many links in ${destination}`);
  const found = openPlace(root, destination);
  if (found !== undefined) return found;
  const parent = posix.dirname(destination);
  {
    using directory = openOrMake(root, parent, { ...making, isDirectory: true });
    makeIn(directory, posix.basename(destination), isDirectory);
  }
  const made = openPlace(root, destination);
  // A link that leads nowhere is the one thing that is neither there nor can be made.
  if (made === undefined) return openOrMake(root, leadsTo(root, destination), { ...making, links: links + 1 });
  if (owner !== undefined) fchownat(made, "", owner.uid, owner.gid, AtFlag.EmptyPath);
  return made;
}

/** Whether a place is missing because of a link on its way that leads nowhere. */
export function leadsNowhere(root: string, path: string): boolean {
  using found = openPlace(root, path);
  if (found !== undefined) return false;
  // Of what is on the way, the last that is there.
  for (let place = path; place !== "/"; place = posix.dirname(place)) {
    using nearest = openPlace(root, place, OpenFlag.Path | OpenFlag.NoFollow);
    if (nearest !== undefined) return (fstat(nearest).mode & FileType.Mask) === FileType.Symlink;
  }
  return false;
}

/** Where a link leads, as it is written: the kernel resolves its dots from the place where it really is. */
function leadsTo(root: string, link: string): string {
  using found = openInRoot(root, link, OpenFlag.Path | OpenFlag.NoFollow);
  const target = readlinkat(found, "").toString();
  return target.startsWith("/") ? target : `${posix.dirname(link)}/${target}`;
}

/** The path on the host of {@link openMountTarget}; it holds no link. */
export function mountTarget(
  root: string,
  destination: string,
  isDirectory: boolean,
  owner?: { readonly uid: number; readonly gid: number },
): string {
  using target = openMountTarget(root, destination, isDirectory, owner);
  return readlinkSync(descriptorPath(target));
}

function openPlace(root: string, path: string, flags: number = OpenFlag.Path): Fd | undefined {
  try {
    return openInRoot(root, path, flags);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "ELOOP") throw new InvalidArgument(`too many links in ${path}`, { cause: error });
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
