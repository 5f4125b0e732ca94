import { posix } from "node:path";

/** A path split at its last component; `a/.` names what is in `a`, so its last component is the dot. */
export interface SplitPath {
  readonly directory: string;
  readonly base: string;
}

const namesContents = (path: string): boolean => posix.basename(path) === "." || path.endsWith("/.");

export function splitPath(path: string): SplitPath {
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, "");
  if (namesContents(path)) return { directory: clean.replace(/\/\.$/, "") || "/", base: "." };
  return { directory: posix.dirname(clean), base: posix.basename(clean) || "/" };
}

/** Whether a path can only be a directory: it ends in a slash or a dot. */
export function assertsDirectory(path: string): boolean {
  return path.endsWith("/") || namesContents(path);
}

/** An absolute path that keeps the ending which says what is meant: `/` or `/.`. */
export function absolutePath(path: string, directory: string): string {
  const absolute = posix.resolve(directory, path);
  if (namesContents(path)) return `${absolute.replace(/\/$/, "")}/.`;
  return path.endsWith("/") && !absolute.endsWith("/") ? `${absolute}/` : absolute;
}

/** `CONTAINER:PATH`, or a path on this machine: those with a colon begin with a slash or a dot. */
export function splitArgument(argument: string): { readonly container: string; readonly path: string } {
  const at = argument.indexOf(":");
  if (argument.startsWith("/") || at < 0 || argument.slice(0, at).startsWith("."))
    return { container: "", path: argument };
  return { container: argument.slice(0, at), path: argument.slice(at + 1) };
}
