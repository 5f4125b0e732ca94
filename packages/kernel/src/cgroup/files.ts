import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, InvalidArgument, NotFound, systemCode } from "@boxship/base";

/** Reading and writing the files of groups. */

/** A file's text, or undefined when the file, or its controller, is not there. */
export async function readOptional(directory: string | undefined, file: string): Promise<string | undefined> {
  if (directory === undefined) return undefined;
  try {
    return await readFile(join(directory, file), "utf8");
  } catch (error) {
    // ENODEV: the group was removed while its file was open. EOPNOTSUPP: a file that the parent's settings disable.
    if (["ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** A small file's text at once; empty when the group is not there. */
export function readNow(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENODEV") return "";
    throw error;
  }
}

/** A number; `max` and v1's largest page-aligned number are `Infinity`. */
export function parseAmount(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "max") return Infinity;
  const number = Number(trimmed);
  return number >= UNLIMITED_V1 ? Infinity : number;
}

// The kernel writes the largest multiple of a page; the size of pages differs (4 KiB to 64 KiB).
const UNLIMITED_V1 = 0x7fff_ffff_ffff_0000;

/** Lines of `name number`. */
export function parsePairs(text: string): Readonly<Record<string, number>> {
  const pairs: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) pairs[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return pairs;
}

/** Writes a value, and names file and value when the kernel refuses it. */
export async function writeSetting(directory: string, file: string, value: string): Promise<void> {
  try {
    await writeFile(join(directory, file), value);
  } catch (error) {
    throw settingError(join(directory, file), value, error);
  }
}

function settingError(path: string, value: string, cause: unknown): Error {
  const subject = { kind: "cgroup", name: path };
  switch (systemCode(cause)) {
    case "ENOENT":
      return new NotFound(`cgroup file ${path} does not exist`, { subject, cause });
    case "EINVAL":
    case "ERANGE":
      return new InvalidArgument(`the kernel refuses ${JSON.stringify(value)} for ${path}`, { subject, cause });
    case "EBUSY":
      return new FailedPrecondition(`${path} cannot become ${JSON.stringify(value)} now: it is in use`, {
        subject,
        cause,
        remedy: "choose a limit above what is used already",
      });
    default:
      return new FailedPrecondition(`writing ${JSON.stringify(value)} to ${path} failed`, { subject, cause });
  }
}
