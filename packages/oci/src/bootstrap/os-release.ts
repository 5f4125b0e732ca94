import { readFile } from "node:fs/promises";
import { systemCode } from "@boxship/base";

/** What `os-release(5)` says of the machine. */
export interface OsRelease {
  /** `debian`, `ubuntu` … */
  readonly id: string;
  /** `bookworm`, `noble` …; empty where there is none. */
  readonly codename: string;
}

export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match !== null) values.set(match[1] as string, match[3] as string);
  }
  return { id: values.get("ID") ?? "linux", codename: values.get("VERSION_CODENAME") ?? "" };
}

export async function readOsRelease(): Promise<OsRelease> {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return parseOsRelease(await readFile(path, "utf8"));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return parseOsRelease("");
}
