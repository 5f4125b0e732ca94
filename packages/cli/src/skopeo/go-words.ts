import { readFileSync } from "node:fs";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base/errors";

/** What skopeo says of an error, where it has other words for it than Docker. */
export function goWords(error: unknown): string {
  const message = errorMessage(error);
  const manifest = /^manifest for (.*)([:@])([^/]*) not found: (.*)$/s.exec(message);
  if (manifest === null) return message;
  const [, repository, mark, name, words] = manifest;
  // A digest has a colon of its own.
  const [path, which] = splitDigest(`${repository}${mark}${name}`) ?? [repository, name];
  return `reading manifest ${which} in ${path}: ${words}`;
}

function splitDigest(reference: string): readonly [path: string, digest: string] | undefined {
  const at = reference.indexOf("@");
  return at === -1 ? undefined : [reference.slice(0, at), reference.slice(at + 1)];
}

/** A file that a word of the command line names. @param before what comes before Go's words */
export function readNamedFile(path: string, before = ""): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const words = { ENOENT: "no such file or directory", EACCES: "permission denied", EISDIR: "is a directory" };
    const why = words[systemCode(error) as keyof typeof words];
    const what = systemCode(error) === "EISDIR" ? "read" : "open";
    throw new InvalidArgument(`${before}${why === undefined ? errorMessage(error) : `${what} ${path}: ${why}`}`, {
      cause: error,
    });
  }
}
