import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import { AtFlag, type Descriptor, descriptorPath, OpenFlag, openat, type SystemPath, unlinkat } from "@boxship/kernel";

/** Removes a file or a whole directory tree by name from an open directory; no symbolic link is followed. */
export function removeTree(directory: Descriptor, name: SystemPath): void {
  try {
    unlinkat(directory, name);
    return;
  } catch (error) {
    // Linux answers EISDIR, POSIX (and some file systems) EPERM.
    if (systemCode(error) !== "EISDIR" && systemCode(error) !== "EPERM") throw error;
  }
  {
    using inner = openat(directory, name, OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow);
    for (const child of readdirSync(descriptorPath(inner), { encoding: "buffer" })) removeTree(inner, child);
  }
  unlinkat(directory, name, AtFlag.RemoveDirectory);
}
