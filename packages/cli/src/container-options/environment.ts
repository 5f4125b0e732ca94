import { readFile } from "node:fs/promises";
import { errorMessage } from "@boxship/base/errors";
import { Failure } from "../failure.ts";
import { describeFileError } from "../shared/system-error.ts";

/** One `NAME=VALUE` of a file, or nothing for a comment, an empty line, or a name without a value anywhere. */
function parseLine(raw: string, lookup: ((name: string) => string | undefined) | undefined): string | undefined {
  const line = raw.replace(/^\s+/, "");
  if (line === "" || line.startsWith("#")) return undefined;
  const at = line.indexOf("=");
  const name = at < 0 ? line : line.slice(0, at);
  if (name === "") throw new Error(`no variable name on line '${line}'`);
  if (/[ \t]/.test(name)) throw new Error(`variable '${name}' contains whitespaces`);
  if (at >= 0) return line;
  const value = lookup?.(name);
  return value === undefined ? undefined : `${name}=${value}`;
}

/**
 * Reads a file of `NAME=VALUE` lines; `#` begins a comment, a name alone takes its value from `lookup`.
 *
 * @throws Failure naming the file and the line
 */
export async function readPairs(
  path: string,
  lookup?: (name: string) => string | undefined,
): Promise<readonly string[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new Failure(describeFileError("open", path, error), { cause: error });
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.split(/\r?\n/).flatMap((line) => parseLine(line, lookup) ?? []);
  } catch (error) {
    throw new Failure(`invalid env file (${path}): ${errorMessage(error)}`, { cause: error });
  }
}

/** Pairs of files, then those of flags. */
export async function collectPairs(
  files: readonly string[],
  flags: readonly string[],
  lookup?: (name: string) => string | undefined,
): Promise<readonly string[]> {
  const read = await Promise.all(files.map((file) => readPairs(file, lookup)));
  return [...read.flat(), ...flags];
}

/** Pairs as an object; the last of a name wins, a name alone is empty. */
export function pairsToObject(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

const PROXIES: readonly (readonly [member: string, variable: string])[] = [
  ["httpProxy", "HTTP_PROXY"],
  ["httpsProxy", "HTTPS_PROXY"],
  ["noProxy", "NO_PROXY"],
  ["ftpProxy", "FTP_PROXY"],
  ["allProxy", "ALL_PROXY"],
];

/** Variables of the client's proxy settings that nobody set by hand. */
export function proxyVariables(
  settings: Readonly<Record<string, string>> | undefined,
  given: readonly string[],
): readonly string[] {
  const names = new Set(given.map((pair) => pair.split("=", 1)[0]));
  return PROXIES.flatMap(([member, variable]) => {
    const value = settings?.[member];
    if (!value) return [];
    return [variable, variable.toLowerCase()].filter((name) => !names.has(name)).map((name) => `${name}=${value}`);
  });
}
