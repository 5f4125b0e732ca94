import { readFileSync } from "node:fs";
import { systemCode } from "./errors.ts";

/** A small text file, or undefined when there is none. Other failures are thrown as they are. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
