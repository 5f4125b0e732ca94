import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

/** One thing that is wrong, and where. */
export interface Finding {
  /** `path` or `path:line`, relative to the root. */
  readonly where: string;
  readonly what: string;
}

/** A named check over a whole checkout; no findings means that it holds. */
export interface Check {
  readonly name: string;
  readonly run: (root: string) => Promise<readonly Finding[]> | readonly Finding[];
}

const skipped = new Set(["node_modules", ".git", "dist", ".cache", "bench-results"]);

/** Files under `directory` with one of the endings, relative to `root`, sorted. Test data is left out. */
export function filesUnder(root: string, directory: string, endings: readonly string[]): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name) || entry.name === "testdata") continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(relative(root, path));
    }
  };
  visit(join(root, directory));
  return found.sort();
}

/** The line (from 1) of an offset in a text. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

export interface Ran {
  readonly status: number;
  /** Standard output and standard error, in that order. */
  readonly output: string;
}

/** Runs a program to its end; a failure is a status, not an exception. */
export function run(root: string, file: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd: root, maxBuffer: 64 << 20, env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" } };
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({
        status,
        output: `${stdout}${stderr}${status !== 0 && `${stdout}${stderr}` === "" ? error?.message : ""}`,
      });
    });
  });
}
