import { readFileSync, writeFileSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import { CurrentDirectory, type Fd, type FileStatus, FileType, OpenFlag, openat, statx } from "@boxship/kernel";
import { namesIn, systemName } from "./assemble-tree.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;
/** Nanoseconds in which the kernel's clock for files may stand still: a change in them may leave no trace. */
const COARSE = 50_000_000n;

/**
 * What a tree's files were when it was last equal to its layers, so that those that nobody touched since need no look at
 * their content: whatever changes a file changes its `ctime`, which nobody can set.
 */
export class TreeMemory {
  readonly #seen: ReadonlyMap<string, string>;

  private constructor(seen: ReadonlyMap<string, string>) {
    this.#seen = seen;
  }

  /** One that knows nothing: everything is looked at. */
  static readonly empty = new TreeMemory(new Map());

  /** @param file written by {@link rememberTree}; one that is absent knows nothing */
  static read(file: string): TreeMemory {
    try {
      return new TreeMemory(new Map(JSON.parse(readFileSync(file, "utf8")) as [string, string][]));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return TreeMemory.empty;
      throw error;
    }
  }

  isUntouched(path: string, status: FileStatus): boolean {
    return this.#seen.get(path) === markOf(status);
  }
}

function markOf({ inode, ctime }: FileStatus): string {
  return `${inode.toString(36)}.${ctime.toString(36)}`;
}

/** Writes down what is in a tree. @param now nanoseconds since the epoch, before the first look */
export function rememberTree(tree: string, file: string, now: bigint): void {
  const seen: [string, string][] = [];
  using root = openat(CurrentDirectory, tree, DIRECTORY);
  rememberDirectory(root, "", now - COARSE, seen);
  writeFileSync(file, JSON.stringify(seen), { mode: 0o600 });
}

function rememberDirectory(directory: Fd, path: string, before: bigint, seen: [string, string][]): void {
  for (const written of namesIn(directory)) {
    const name = systemName(written);
    const status = statx(directory, name);
    const own = `${path}/${written}`;
    if ((status.mode & FileType.Mask) === FileType.Directory) {
      using inner = openat(directory, name, DIRECTORY);
      rememberDirectory(inner, own, before, seen);
    } else if (status.ctime < before) seen.push([own, markOf(status)]);
  }
}
