import { lstatSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";
import { descriptorPath, openInRoot, readMountinfo } from "@boxship/kernel";

/** Files of /proc that LXCFS and its like show containers in their own way. */
const OWN_VIEWS: ReadonlySet<string> = new Set(
  [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "net/dev",
    "sys/kernel/ns_last_pid",
  ].map((name) => `/proc/${name}`),
);

/** What runtimes hide files by, and connect terminals with, by these names. */
const DEVICES: ReadonlySet<string> = new Set(["/dev", "/dev/null", "/dev/console", "/dev/ptmx", "/dev/pts"]);

/**
 * Refuses an image in which a place that runtimes fill leads somewhere else.
 *
 * @param rootfs the container's root, mounted
 * @throws InvalidArgument
 */
export function checkOwnPlaces(rootfs: string): void {
  for (const name of ["dev", "proc", "sys"]) {
    if (lstatSync(posix.join(rootfs, name), { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    throw new InvalidArgument(`/${name} of the image is a link; it must be an ordinary directory`, {
      subject: { kind: "mount", name: `/${name}` },
    });
  }
}

export interface MountPlace {
  /** The container's root, mounted. */
  readonly rootfs: string;
  readonly destination: string;
  /** Empty for a new file system. */
  readonly source: string;
  /** Nothing of the machine is hidden from it. */
  readonly privileged: boolean;
}

/**
 * Refuses mounts over what the runtime itself relies on while it starts a container, also where a link of the image leads there:
 * over /proc, where it drops rights and hides what is the machine's, and over the devices that it hides files by. Somebody else's files in
 * these places would make it do something else. The machine's own /proc and /dev may be there.
 *
 * @throws InvalidArgument for /proc in runc's words
 */
export function checkMountPlace({ rootfs, destination, source, privileged }: MountPlace): void {
  const place = placeOf(rootfs, posix.resolve("/", destination));
  const subject = { kind: "mount", name: destination };
  if (DEVICES.has(place) && !privileged && source !== "" && source !== place) {
    throw new InvalidArgument(`"${destination}" cannot be mounted: the devices there hide what is the machine's`, {
      subject,
      remedy: `mount single devices, or ${place} of the machine`,
    });
  }
  if ((place !== "/proc" && !place.startsWith("/proc/")) || OWN_VIEWS.has(place)) return;
  if (place === "/proc" && readMountinfo().findLast(({ mountPoint }) => mountPoint === source)?.type === "proc") return;
  throw new InvalidArgument(`"${destination}" cannot be mounted because it is inside /proc`, { subject });
}

/** Where a path of the container really is in it, as far as it is there. */
function placeOf(rootfs: string, path: string): string {
  try {
    using found = openInRoot(rootfs, path);
    return readlinkSync(descriptorPath(found)).slice(rootfs.length) || "/";
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(systemCode(error) ?? "") || path === "/") return path;
    return posix.join(placeOf(rootfs, posix.dirname(path)), posix.basename(path));
  }
}
