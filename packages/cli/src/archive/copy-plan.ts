import { type ByteString, bytesOf } from "@boxship/oci/tar";
import { Failure } from "../failure.ts";
import { assertsDirectory, splitPath } from "./paths.ts";

/** One end of a copy. */
export interface CopyEnd {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

/** Where an archive is unpacked, and how its first name component changes on the way. */
export interface CopyPlan {
  readonly directory: string;
  readonly rename?: { readonly from: string; readonly to: string };
}

/**
 * What `cp` does with a source at a destination: into a directory that exists, over a file, or under a new name.
 *
 * @throws Failure for a directory over a file, and for a file into a directory that does not exist
 */
export function planCopy(source: CopyEnd, destination: CopyEnd): CopyPlan {
  if (destination.exists && destination.isDirectory) return { directory: destination.path };
  if (destination.exists && source.isDirectory) throw new Failure("cannot copy directory");
  const asserted = destination.path === "" || assertsDirectory(destination.path);
  if (!destination.exists && !source.isDirectory && asserted) {
    throw new Failure("no such directory");
  }
  const { directory, base } = splitPath(destination.path);
  return { directory, rename: { from: splitPath(source.path).base, to: base } };
}

/** The name of an entry under its new first component. */
export function renameEntry(name: ByteString, { rename }: CopyPlan): ByteString {
  if (rename === undefined) return name;
  const from = rename.from === "/" ? "" : bytesOf(rename.from);
  const to = bytesOf(rename.to);
  if (!name.startsWith(from)) return name;
  const rest = name.slice(from.length);
  return (from === "" ? `${to}/${rest.replace(/^\/+/, "")}`.replace(/\/$/, "") : to + rest) as ByteString;
}
