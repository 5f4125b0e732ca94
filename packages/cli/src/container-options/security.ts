import { readFile } from "node:fs/promises";
import { errorMessage } from "@boxship/base/errors";
import { Failure } from "../failure.ts";
import { describeFileError } from "../shared/system-error.ts";

/** Security options, with what the client resolves itself. */
export interface SecurityConfig {
  readonly options: readonly string[];
  /** `systempaths=unconfined`: nothing of /proc and /sys is masked or read-only. */
  readonly unconfinedPaths: boolean;
}

/** A profile as one line of JSON. */
async function readProfile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new Failure(`opening seccomp profile (${path}) failed: ${describeFileError("open", path, error)}`, {
      cause: error,
    });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new Failure(`compacting json for seccomp profile (${path}) failed: ${errorMessage(error)}`, { cause: error });
  }
}

async function resolveOption(option: string): Promise<string> {
  const separator = option.includes("=") ? "=" : ":";
  const at = option.indexOf(separator);
  const key = at < 0 ? option : option.slice(0, at);
  const value = at < 0 ? "" : option.slice(at + 1);
  if (key === "no-new-privileges") return option;
  if (value === "") throw new Failure(`Invalid --security-opt: ${JSON.stringify(option)}`);
  if (key !== "seccomp" || value === "builtin" || value === "unconfined") return option;
  return `seccomp=${await readProfile(value)}`;
}

/** Reads seccomp profiles from their files. @throws Failure naming the option or the file */
export async function buildSecurity(given: readonly string[]): Promise<SecurityConfig> {
  const options = await Promise.all(given.map(resolveOption));
  const kept = options.filter((option) => option !== "systempaths=unconfined");
  return { options: kept, unconfinedPaths: kept.length < options.length };
}
