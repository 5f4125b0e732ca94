import { posix } from "node:path";
import { Refusal } from "../../failure.ts";

/** `[[namespace/]pod:]path` */
export interface FileSpec {
  /** Empty for a file here. */
  readonly pod: string;
  /** Empty for the one that is chosen. */
  readonly namespace: string;
  readonly path: string;
}

/** @throws Refusal in kubectl's words */
export function parseFileSpec(text: string): FileSpec {
  const at = text.indexOf(":");
  if (at < 0) return { pod: "", namespace: "", path: withoutEnd(text) };
  const [first = "", second, ...more] = text.slice(0, at).split("/");
  if (at === 0 || more.length > 0) {
    throw new Refusal("filespec must match the canonical format: [[namespace/]pod:]file/path");
  }
  const path = remotePath(text.slice(at + 1));
  return second === undefined ? { pod: first, namespace: "", path } : { pod: second, namespace: first, path };
}

const withoutEnd = (path: string): string => (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path);

/** Paths in containers have slashes, whoever wrote them. */
const remotePath = (path: string): string => withoutEnd(path).replaceAll("\\", "/");

/** What names of members begin with when `tar` is told to take this path. */
export function memberPrefix(path: string): string {
  return withoutShortcuts(withoutEnd(posix.normalize(path.replace(/^[/\\]+/, "") || ".")));
}

function withoutShortcuts(path: string): string {
  const rest = path.replace(/^(\.\.\/)+/, "");
  return rest === "." || rest === ".." ? "" : rest.replace(/^\//, "");
}

/**
 * Where a member of an archive belongs.
 *
 * @param rest its name behind the prefix
 * @returns undefined for one that would be outside of the destination
 */
export function placeOf(destination: string, rest: string): { readonly path: string; readonly isInside: boolean } {
  const path = withoutEnd(posix.join(destination, remotePath(rest)));
  const relative = posix.relative(destination, path);
  return { path, isInside: relative === "" || relative === withoutShortcuts(relative) };
}
