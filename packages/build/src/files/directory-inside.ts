import { CurrentDirectory, descriptorPath, OpenFlag, openat, openInRoot, readlinkat } from "@boxship/kernel";
import { makeDirectories } from "./directories.ts";

/**
 * Where a directory of a tree is: links are followed inside of the tree, and neither they nor `..` lead out of it.
 *
 * @throws the system's error when there is none
 */
export function directoryInside(root: string, path: string): string {
  using found = openInRoot(root, path, OpenFlag.Path | OpenFlag.Directory);
  return readlinkat(CurrentDirectory, descriptorPath(found)).toString();
}

/** The same, made where it is absent. */
export function madeInside(root: string, path: string): string {
  using tree = openat(CurrentDirectory, root, OpenFlag.ReadOnly | OpenFlag.Directory);
  using made = makeDirectories(tree, path);
  return readlinkat(CurrentDirectory, descriptorPath(made)).toString();
}
