import { readdirSync } from "node:fs";
import {
  CurrentDirectory,
  descriptorPath,
  enterStack,
  type Fd,
  FileType,
  lookUp,
  mkdirat,
  OpenFlag,
  openat,
  type SystemPath,
} from "@boxship/kernel";
import { type CopiedLinks, copyDirectoryMetadata, copyNode } from "./copy-node.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/** Names as byte strings, which go into sets. */
export function namesIn(directory: Fd): readonly string[] {
  return readdirSync(descriptorPath(directory), { encoding: "latin1" as "utf8" });
}

export function systemName(name: string): SystemPath {
  return Buffer.from(name, "latin1");
}

/**
 * Copies what a stack of layers shows into one plain tree, where overlays cannot be mounted. Blocks: for worker threads.
 *
 * @param lowers topmost first
 * @param target an existing, empty directory
 */
export function assembleTree(lowers: readonly string[], target: string): void {
  using open = new DisposableStack();
  const stack = lowers.map((path) => open.use(openat(CurrentDirectory, path, DIRECTORY)));
  const root = open.use(openat(CurrentDirectory, target, DIRECTORY));
  assembleDirectory(stack, root, new Map());
}

function assembleDirectory(stack: readonly Fd[], target: Fd, links: CopiedLinks): void {
  const names = new Set(stack.flatMap(namesIn));
  for (const written of names) {
    const name = systemName(written);
    const found = lookUp(stack, name);
    if (found === undefined) continue;
    if ((found.status.mode & FileType.Mask) !== FileType.Directory) {
      copyNode({ ...found, name }, { directory: target, name }, links);
      continue;
    }
    mkdirat(target, name, 0o700);
    using open = new DisposableStack();
    const inner = open.use(openat(target, name, DIRECTORY));
    assembleDirectory(enterStack(stack, name, open), inner, links);
  }
  const [top] = stack;
  if (top !== undefined) copyDirectoryMetadata(top, target);
}
