import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  type Fd,
  FileType,
  mkdirat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  type SystemPath,
  statx,
} from "@boxship/kernel";
import { type CopiedLinks, copyDirectoryMetadata, copyNode } from "./copy-node.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

export interface CopyTreeRequest {
  /** Root that the source path is resolved in: no link leads out of it. */
  readonly root: string;
  /** A directory below the root. */
  readonly path: string;
  /** An existing, empty directory. */
  readonly target: string;
}

/**
 * Copies a directory's content and gives the target its owner, mode, attributes and times: types, holes, hard links and
 * attributes are kept; blocks are shared where the file system can. Blocks: for worker threads.
 *
 * @returns false when the source is absent or no directory, and nothing was done
 */
export function copyTree(request: CopyTreeRequest): boolean {
  using root = openat(CurrentDirectory, request.root, OpenFlag.Path | OpenFlag.Directory);
  using source = openSource(root, request.path);
  if (source === undefined) return false;
  using target = openat(CurrentDirectory, request.target, DIRECTORY);
  copyDirectory(source, target, new Map());
  return true;
}

function openSource(root: Fd, path: string): Fd | undefined {
  const resolve = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
  try {
    return openat2(root, path, { flags: OpenFlag.ReadOnly | OpenFlag.Directory, resolve });
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function copyDirectory(source: Fd, target: Fd, links: CopiedLinks): void {
  for (const name of readdirSync(descriptorPath(source), { encoding: "buffer" }))
    copyEntry(source, target, name, links);
  copyDirectoryMetadata(source, target);
}

function copyEntry(source: Fd, target: Fd, name: SystemPath, links: CopiedLinks): void {
  const status = statx(source, name);
  if ((status.mode & FileType.Mask) !== FileType.Directory) {
    copyNode({ directory: source, name, status }, { directory: target, name }, links);
    return;
  }
  mkdirat(target, name, 0o700);
  using from = openat(source, name, DIRECTORY);
  using to = openat(target, name, DIRECTORY);
  copyDirectory(from, to, links);
}
