import { access, constants, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorMessage, systemCode } from "@boxship/base";
import { defineCommand, type Entry } from "../command.ts";
import { PlainRefusal } from "../failure.ts";
import { bool } from "../flags.ts";
import type { Io } from "../io.ts";

const PREFIX = "kubectl-";

/** `kubectl plugin list` */
export const command = defineCommand({
  usage: "[flags] [options]",
  summary: "List all visible plugin executables on a user's PATH",
  flags: { "name-only": bool() },
  async run(session, { flags }) {
    const { table } = await import("../table.ts");
    const found = await pluginsOf(session.io);
    const failures: string[] = [];
    if (found.length > 0) session.print("The following compatible plugins are available:\n");
    else failures.push("error: unable to find any kubectl plugins in your PATH");
    const seen = new Map<string, string>();
    let warnings = 0;
    for (const path of found) {
      session.print(flags["name-only"] ? basename(path) : path);
      for (const warning of await warningsOf(path, seen, table)) {
        session.warn(`  - ${warning}`);
        warnings++;
      }
    }
    if (warnings === 1) failures.push("error: one plugin warning was found");
    else if (warnings > 1) failures.push(`error: ${warnings} plugin warnings were found`);
    if (failures.length > 0) throw new PlainRefusal(`${failures.join("\n")}\n`);
  },
});

/** Paths of all programs whose names begin as those of plugins do. */
export async function pluginsOf(io: Io): Promise<readonly string[]> {
  const plugins: string[] = [];
  for (const directory of new Set((io.env["PATH"] ?? "").split(":"))) {
    if (directory.trim() === "") continue;
    try {
      const entries = await readdir(directory, { withFileTypes: true });
      const names = entries.filter((one) => !one.isDirectory() && one.name.startsWith(PREFIX)).map(({ name }) => name);
      plugins.push(...names.sort().map((name) => join(directory, name)));
    } catch (error) {
      const why = systemCode(error) === "ENOENT" ? "no such file or directory" : errorMessage(error);
      io.stderr.write(
        `Unable to read directory ${JSON.stringify(directory)} from your PATH: open ${directory}: ${why}. Skipping...\n`,
      );
    }
  }
  return plugins;
}

async function warningsOf(
  path: string,
  seen: Map<string, string>,
  table: readonly Entry[],
): Promise<readonly string[]> {
  const name = basename(path);
  const warnings: string[] = [];
  try {
    if (((await stat(path)).mode & 0o111) === 0)
      warnings.push(`warning: ${path} identified as a kubectl plugin, but it is not executable`);
  } catch {
    warnings.push(`error: unable to identify ${path} as an executable file: stat ${path}: no such file or directory`);
  }
  const before = seen.get(name);
  if (before === undefined) seen.set(name, path);
  else warnings.push(`warning: ${path} is overshadowed by a similarly named plugin: ${before}`);
  const overwritten = commandAt(name.slice(PREFIX.length).split("-"), table);
  if (overwritten !== undefined)
    warnings.push(`warning: ${name} overwrites existing command: ${JSON.stringify(overwritten)}`);
  return warnings;
}

/** The command that words name; words behind one that has no others below it are its operands. */
function commandAt(words: readonly string[], table: readonly Entry[]): string | undefined {
  let path = "kubectl";
  let entries: readonly Entry[] | undefined = table;
  for (const word of words) {
    const next: Entry | undefined = entries?.find((one) => one.name === word || one.aliases?.includes(word));
    if (next === undefined) return path === "kubectl" ? undefined : path;
    path = `${path} ${next.name}`;
    entries = next.children;
  }
  return path;
}

/**
 * Runs the plugin that words name: the longest `kubectl-a-b` of them that is in `PATH`. The rest are its own.
 *
 * @returns its exit status; undefined where there is none
 */
export async function runPlugin(words: readonly string[], io: Io): Promise<number | undefined> {
  const plain: string[] = [];
  for (const word of words) {
    if (word.startsWith("-")) break;
    plain.push(word.replaceAll("-", "_"));
  }
  for (let count = plain.length; count > 0 && io.run !== undefined; count--) {
    const program = await programAt(`${PREFIX}${plain.slice(0, count).join("-")}`, io);
    if (program !== undefined) return (await io.run(program, words.slice(count), { terminal: true })).status;
  }
  return undefined;
}

async function programAt(name: string, io: Io): Promise<string | undefined> {
  for (const directory of (io.env["PATH"] ?? "").split(":")) {
    const path = join(directory || ".", name);
    try {
      await access(path, constants.X_OK);
      if ((await stat(path)).isFile()) return path;
    } catch {
      // It is not here.
    }
  }
  return undefined;
}
