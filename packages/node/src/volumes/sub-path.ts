import { closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import {
  bindMount,
  descriptorPath,
  type Fd,
  FileType,
  fchmod,
  fstat,
  isMountPoint,
  OpenFlag,
  openat2,
  openInRoot,
  ResolveFlag,
} from "@boxship/kernel";

const INSIDE = ResolveFlag.Beneath | ResolveFlag.NoSymlinks | ResolveFlag.NoMagiclinks;

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
    const name = parts[depth - 1] ?? "";
    try {
      mkdirSync(join(descriptorPath(parent), name), { mode: 0o755 });
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      continue;
    }
    // Whoever may write in the volume may write there; the umask has no say. It may be a link by now, which is nobody's to follow.
    using made = openat2(parent, name, { flags: OpenFlag.Path | OpenFlag.Directory, resolve: INSIDE });
    fchmod(made, statSync(volume).mode & 0o7777);
  }
  return openInRoot(volume, path);
}
