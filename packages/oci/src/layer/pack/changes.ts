import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  enterStack,
  type Fd,
  type FileStatus,
  FileType,
  FUSE_OPAQUE_FILES,
  isOpaque,
  isWhiteout,
  lookUp,
  OpenFlag,
  openat,
  statx,
} from "@boxship/kernel";
import { systemPath } from "../apply/names.ts";
import { type ByteString, toText } from "../tar/bytes.ts";

export type ChangeKind = "modified" | "added" | "deleted";

export interface Change {
  readonly kind: ChangeKind;
  /** From the container's root, with a leading slash. */
  readonly path: string;
}

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/**
 * What a container's writable layer changes in the layers below, sorted by path. A directory counts as modified when
 * something directly in it was added or removed, or its own metadata changed. Blocks: for worker threads.
 *
 * @param lowers topmost first
 */
export function findChanges(upper: string, lowers: readonly string[]): readonly Change[] {
  using open = new DisposableStack();
  const directory = open.use(openat(CurrentDirectory, upper, DIRECTORY));
  const below = lowers.map((lower) => open.use(openat(CurrentDirectory, lower, DIRECTORY)));
  const changes = new Map<string, ChangeKind>();
  compareDirectory({ changes, path: "", directory, below, opaque: false });
  return [...changes].map(([path, kind]) => ({ kind, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Comparison {
  readonly changes: Map<string, ChangeKind>;
  /** "" is the root. */
  readonly path: string;
  readonly directory: Fd;
  /** The same directory in the layers below, as far as they are visible. */
  readonly below: readonly Fd[];
  /** Whether this directory hides those. */
  readonly opaque: boolean;
}

function compareDirectory(comparison: Comparison): void {
  const { changes, path, directory, below, opaque } = comparison;
  const names = readdirSync(descriptorPath(directory), { encoding: "latin1" as "utf8" }) as ByteString[];
  for (const name of names) {
    if (FUSE_OPAQUE_FILES.has(name)) continue;
    try {
      compareEntry(comparison, name);
    } catch (error) {
      // A running container may have removed it, or put something else in its place, since the names were read.
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    }
  }
  if (!opaque) return;
  const present = new Set<string>(names);
  for (const layer of below) {
    const hidden = readdirSync(descriptorPath(layer), { encoding: "latin1" as "utf8" }) as ByteString[];
    for (const name of hidden) {
      if (!present.has(name) && lookUp(below, systemPath(name)) !== undefined)
        changes.set(`${path}/${toText(name)}`, "deleted");
    }
  }
}

function compareEntry(comparison: Comparison, name: ByteString): void {
  const { changes, directory, below } = comparison;
  const path = `${comparison.path}/${toText(name)}`;
  const status = statx(directory, systemPath(name));
  const before = lookUp(below, systemPath(name))?.status;
  const record = (kind: ChangeKind) => {
    changes.set(path, kind);
    const isRoot = comparison.path === "";
    if (kind !== "modified" && !isRoot && !changes.has(comparison.path)) changes.set(comparison.path, "modified");
  };
  if (isWhiteout(status)) {
    if (before !== undefined) record("deleted");
    return;
  }
  if (before === undefined) record("added");
  else if (!isSameDirectory(before, status)) record("modified");
  if ((status.mode & FileType.Mask) !== FileType.Directory) return;
  using open = new DisposableStack();
  const inner = open.use(openat(directory, systemPath(name), DIRECTORY));
  const innerBelow = enterStack(below, systemPath(name), open);
  compareDirectory({ changes, path, directory: inner, below: innerBelow, opaque: isOpaque(inner) });
}

/** Copied up only because something below it changed. */
function isSameDirectory(before: FileStatus, now: FileStatus): boolean {
  const bothDirectories = (before.mode & FileType.Mask) === FileType.Directory && before.mode === now.mode;
  return bothDirectories && before.uid === now.uid && before.gid === now.gid && before.mtime === now.mtime;
}
