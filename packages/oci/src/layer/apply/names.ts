import { InvalidArgument } from "@boxship/base/errors";
import type { SystemPath } from "@boxship/kernel";
import { type ByteString, isAscii, quote, toBuffer } from "../tar/bytes.ts";

/** How layers mark removals (OCI image specification, layer.md, "Whiteouts"). */
export const WHITEOUT_PREFIX = ".wh.";
export const OPAQUE_WHITEOUT = ".wh..wh..opq";
/** Other names of this kind are bookkeeping of aufs that old layers carry; they are no files of the image. */
export const AUFS_PREFIX = ".wh..wh.";

const UNUSUAL = /(?:^|\/)(?:\.{0,2})(?:\/|$)/;

/**
 * A member's name as a path below the root: no leading slash, no empty or `.` components; the root itself is "". An
 * absolute name is meant from the root, as in every container tool. Throws `InvalidArgument` when `..` climbs above it.
 */
export function pathInRoot(name: ByteString): ByteString {
  if (!UNUSUAL.test(name)) return name;
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw new InvalidArgument(`the name ${quote(name)} leaves the root by ".."`);
  }
  return parts.join("/") as ByteString;
}

/** A name for a system call. */
export function systemPath(name: ByteString): SystemPath {
  return isAscii(name) ? name : toBuffer(name);
}

/** The directory part of a path below the root; "" is the root. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return (slash === -1 ? "" : path.slice(0, slash)) as ByteString;
}

/** The last component. */
export function baseOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1) as ByteString;
}
