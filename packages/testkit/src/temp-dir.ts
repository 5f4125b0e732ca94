import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";

/** A directory that is gone, with everything that is mounted in it, when its owner is disposed. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** A path below the directory. */
  join(...parts: string[]): string;
}

/** Mount points at `path` and below, deepest first. */
export async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => unescapeMount(line.split(" ")[4] ?? ""));
  return points.filter((point) => point === path || point.startsWith(path + sep)).reverse();
}

/** mountinfo writes blanks, tabs, newlines and backslashes as three octal digits. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Unmounts everything at `path` and below and removes it. Missing is success. */
export async function removeTree(path: string): Promise<void> {
  for (const point of await mountsBelow(path)) {
    const ended: SpawnSyncReturns<string> = spawnSync("umount", ["-l", point], { encoding: "utf8" });
    if (ended.status !== 0) throw new Error(`cannot unmount ${point}: ${ended.stderr}`);
  }
  await rm(path, { recursive: true, force: true });
}

/** Makes `boxship-<label>-XXXXXX` in the system's temporary directory, or in another one. */
export function tempDir(label = "test", parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, `boxship-${label}-`));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => removeTree(path),
  };
}
