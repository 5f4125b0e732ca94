import { readFileSync } from "node:fs";
import { Internal } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { detachMount, releaseMount } from "./mount.ts";

/** One line of `/proc/PID/mountinfo`; see proc(5). */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  readonly major: number;
  readonly minor: number;
  /** The directory of the filesystem that is mounted; not `/` for bind mounts of a part. */
  readonly root: string;
  readonly mountPoint: string;
  /** Options of this mount: `rw`, `nosuid` … */
  readonly options: readonly string[];
  /** Peer group, when the mount is shared. */
  readonly shared: number | undefined;
  /** Peer group it receives from, when it is a slave. */
  readonly master: number | undefined;
  readonly unbindable: boolean;
  readonly type: string;
  readonly source: string;
  /** Options of the filesystem. */
  readonly superOptions: readonly string[];
}

/** Undoes the kernel's `\ooo` escapes of spaces, tabs, newlines, backslashes and `#`. */
export function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  // The escapes are bytes of UTF-8, so they are put back before the text is decoded.
  const bytes = Buffer.from(text).toString("latin1");
  const plain = bytes.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
  return Buffer.from(plain, "latin1").toString("utf8");
}

/** Parses one line, without its newline. Throws Internal for anything the kernel does not write. */
export function parseMountLine(line: string): MountEntry {
  const fields = line.split(" ");
  const separator = fields.indexOf("-", 6);
  const [id, parentId, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = separator === -1 ? [] : fields.slice(separator + 1);
  const numbers = /^(\d+):(\d+)$/.exec(device ?? "");
  if (root === undefined || mountPoint === undefined || options === undefined || numbers === null) {
    throw malformed(line);
  }
  if (type === undefined || source === undefined) throw malformed(line);
  const tags = fields.slice(6, separator);
  const tag = (name: string) => {
    const found = tags.find((text) => text.startsWith(`${name}:`));
    return found === undefined ? undefined : Number(found.slice(name.length + 1));
  };
  return {
    id: Number(id),
    parentId: Number(parentId),
    major: Number(numbers[1]),
    minor: Number(numbers[2]),
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(","),
    shared: tag("shared"),
    master: tag("master"),
    unbindable: tags.includes("unbindable"),
    type: unescapeOctal(type),
    source: unescapeOctal(source),
    superOptions: superOptions === undefined || superOptions === "" ? [] : superOptions.split(",").map(unescapeOctal),
  };
}

function malformed(line: string): Internal {
  return new Internal(`mountinfo line is not understood: ${JSON.stringify(line)}`);
}

export function parseMountinfo(text: string): readonly MountEntry[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [parseMountLine(line)]));
}

/** The mounts that a process sees, in mount order. @default the calling thread's */
export function readMountinfo(pid?: number): readonly MountEntry[] {
  return parseMountinfo(readMountTable(pid));
}

/** What {@link parseMountinfo} and {@link parseMountsAround} take. @default the calling thread's */
export function readMountTable(pid?: number): string {
  return readFileSync(`/proc/${pid ?? "thread-self"}/mountinfo`, "utf8");
}

/**
 * As {@link parseMountinfo}, but only the mounts at, above and below the paths: where many containers run, most are elsewhere.
 *
 * @param paths absolute, without links, `.` and `..`
 */
export function parseMountsAround(paths: readonly string[], table: string): readonly MountEntry[] {
  const found: MountEntry[] = [];
  for (let start = 0; start < table.length; ) {
    const newline = table.indexOf("\n", start);
    const end = newline === -1 ? table.length : newline;
    const place = mountPointAt(table, start);
    if (paths.some((path) => isWithin(path, place) || isWithin(place, path))) {
      found.push(parseMountLine(table.slice(start, end)));
    }
    start = end + 1;
  }
  return found;
}

/** The fifth field of the line that starts there. */
function mountPointAt(table: string, lineStart: number): string {
  let start = lineStart;
  for (let field = 0; field < 4; field++) start = table.indexOf(" ", start) + 1;
  return unescapeOctal(table.slice(start, table.indexOf(" ", start)));
}

function isWithin(path: string, directory: string): boolean {
  return directory === "/" || (path.startsWith(directory) && [undefined, "/"].includes(path[directory.length]));
}

/** The mounts that can be seen: a later one at the same place hides what it lies upon, with all that is mounted there. */
export function uncoveredMounts(mounts: readonly MountEntry[]): readonly MountEntry[] {
  const byId = new Map(mounts.map((entry) => [entry.id, entry]));
  const parentOf = (entry: MountEntry) => (entry.parentId === entry.id ? undefined : byId.get(entry.parentId));
  const liesUpon = (entry: MountEntry) => parentOf(entry)?.mountPoint === entry.mountPoint;
  const covered = new Set(mounts.filter(liesUpon).map(({ parentId }) => parentId));
  const isSeen = (entry: MountEntry): boolean => {
    if (covered.has(entry.id)) return false;
    for (let at: MountEntry | undefined = entry; at !== undefined; at = parentOf(at)) {
      if (covered.has(at.parentId) && !liesUpon(at)) return false;
    }
    return true;
  };
  return mounts.filter(isSeen);
}

/**
 * The mounts at `prefix` and below it, deepest and latest first: the order in which they can be unmounted.
 *
 * @param prefix an absolute path without links, `.` and `..`
 */
export function findMounts(
  prefix: string,
  mounts: readonly MountEntry[] = parseMountsAround([prefix], readMountTable()),
): readonly MountEntry[] {
  const below = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return mounts
    .filter(({ mountPoint }) => mountPoint === prefix || mountPoint.startsWith(below))
    .map((entry, order) => ({ entry, order, depth: entry.mountPoint.split("/").length }))
    .sort((a, b) => b.depth - a.depth || b.order - a.order)
    .map(({ entry }) => entry);
}

/**
 * Detaches every mount at `prefix` and below it, those hidden under others included. Idempotent; returns how many there
 * were. Unmounting one may take others along (propagation), so the list is read again until it is empty.
 *
 * Synchronous: waits for dirty data of disk filesystems and overlays. On the event loop use {@link releaseMountsBelow}.
 */
export function detachMountsBelow(prefix: string): number {
  let count = 0;
  for (;;) {
    const mounts = findMounts(prefix);
    if (mounts.length === 0) return count;
    let detached = 0;
    for (const { mountPoint } of mounts) if (tryDetach(mountPoint)) detached++;
    if (detached === 0) throw new Internal(`cannot unmount ${mounts.map(({ mountPoint }) => mountPoint).join(", ")}`);
    count += detached;
  }
}

/** As {@link detachMountsBelow}, but waits on the thread pool until the filesystems have been let go. */
export async function releaseMountsBelow(prefix: string): Promise<number> {
  let count = 0;
  for (;;) {
    const mounts = findMounts(prefix);
    if (mounts.length === 0) return count;
    let released = 0;
    for (const { mountPoint } of mounts) if (await tryRelease(mountPoint)) released++;
    if (released === 0) throw new Internal(`cannot unmount ${mounts.map(({ mountPoint }) => mountPoint).join(", ")}`);
    count += released;
  }
}

/** The mount is gone already, together with another one. */
function isGone(error: unknown): boolean {
  return error instanceof SyscallError && (error.code === "EINVAL" || error.code === "ENOENT");
}

function tryDetach(mountPoint: string): boolean {
  try {
    detachMount(mountPoint);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function tryRelease(mountPoint: string): Promise<boolean> {
  try {
    await releaseMount(mountPoint);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}
