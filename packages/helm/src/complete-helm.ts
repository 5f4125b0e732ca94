import type { ParsedFlag, ParsedSet } from "@boxship/base/parse-flags";
import { clusterFlags } from "./cluster-flags.ts";
import type { Command, Entry, HelmIo } from "./command.ts";
import { FORMATS } from "./flags.ts";
import { runHelm } from "./run-helm.ts";
import { table } from "./table.ts";

/** What flags may be. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  cascade: ["background", "foreground", "orphan"],
  color: ["auto", "never"],
  colour: ["auto", "never"],
  "dry-run": ["client", "none", "server"],
  output: FORMATS,
  "server-side": ["auto", "false", "true"],
  wait: ["hookOnly", "legacy", "watcher"],
};

/**
 * What could stand at the end of helm's words: commands, flags, their values, releases and repositories. Where nothing is
 * known, as for charts, the shell's own files are what it offers.
 *
 * @param words words after `helm`; the last one is being typed, and may be empty
 */
export async function completeHelm(words: readonly string[], io: HelmIo): Promise<readonly string[]> {
  const typed = words.at(-1) ?? "";
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(typed) ?? [];
  const before = words.slice(0, -1);
  const found = await candidates(before, flag === undefined ? typed : (value ?? ""), flag, io);
  const prefix = flag === undefined ? "" : `${flag}=`;
  return [...new Set(found)].filter((one) => `${prefix}${one}`.startsWith(typed)).map((one) => prefix + one);
}

/** @param valued the flag whose value is typed behind a `=` */
async function candidates(
  before: readonly string[],
  typed: string,
  valued: string | undefined,
  io: HelmIo,
): Promise<readonly string[]> {
  let entry: Entry = { name: "helm", summary: "", children: table };
  const path: string[] = [];
  const operands: string[] = [];
  const place: string[] = [];
  let flags: ParsedSet = clusterFlags;
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? "";
    const flag = findFlag(flags, word);
    if (flag !== undefined) {
      const takesWord = flag.bare === undefined && !word.includes("=");
      if (takesWord && at === before.length - 1) return valuesOf(flags, word, io);
      if (PLACES.some((name) => word.startsWith(name))) place.push(...before.slice(at, takesWord ? at + 2 : at + 1));
      if (takesWord) at++;
    } else if (entry.children === undefined) operands.push(word);
    else {
      const next: Entry | undefined = entry.children.find(
        ({ name, aliases }) => name === word || aliases?.includes(word),
      );
      if (next === undefined || next.refused !== undefined) return [];
      entry = next;
      path.push(next.name);
      flags = { ...clusterFlags, ...(await commandOf(entry))?.flags };
    }
  }
  if (valued !== undefined) return valuesOf(flags, valued, io);
  if (typed.startsWith("-")) return [...Object.keys(flags).map((name) => `--${name}`), "--help"].sort();
  if (entry.children !== undefined) {
    return entry.children.filter(({ raw, refused }) => raw !== true && refused === undefined).map(({ name }) => name);
  }
  return await operandsFor(path.join(" "), operands, place, io);
}

/** Flags that say where releases are. */
const PLACES = ["-n", "--namespace", "--kube", "--repository"];

const commandOf = async ({ load }: Entry): Promise<Command | undefined> => (await load?.())?.command;

function findFlag(flags: ParsedSet, word: string): ParsedFlag<unknown> | undefined {
  if (word.startsWith("--")) return flags[word.slice(2).replace(/=.*/s, "")];
  if (!word.startsWith("-") || word === "-") return undefined;
  return Object.values(flags).find(({ short }) => short === word.slice(-1));
}

async function valuesOf(flags: ParsedSet, word: string, io: HelmIo): Promise<readonly string[]> {
  const name = word.startsWith("--")
    ? word.slice(2)
    : (Object.entries(flags).find(([, { short }]) => short === word.slice(-1))?.[0] ?? "");
  if (name === "namespace") return await said(["list", "--all-namespaces", "-o", "json"], "namespace", io);
  return CHOICES[name] ?? [];
}

const WITH_RELEASE = /^(get \w+|diff|history|rollback|status|test|uninstall|upgrade)$/;

async function operandsFor(
  path: string,
  operands: readonly string[],
  place: readonly string[],
  io: HelmIo,
): Promise<readonly string[]> {
  const free = (names: readonly string[]) => names.filter((name) => !operands.includes(name));
  if (path === "repo remove" || path === "repo update")
    return free(await said(["repo", "list", "-o", "json"], "name", io));
  if (!WITH_RELEASE.test(path)) return [];
  if (operands.length === 0 || path === "uninstall") {
    return free(await said(["list", "--max", "0", "-o", "json", ...place], "name", io));
  }
  if (path !== "rollback" || operands.length > 1) return [];
  return await said(["history", operands[0] ?? "", "-o", "json", ...place], "revision", io);
}

/** A field of what another command says; nothing where it fails, as without a cluster. */
async function said(words: readonly string[], field: string, io: HelmIo): Promise<readonly string[]> {
  let text = "";
  const sink = { write: (part: string) => void (text += part) };
  const status = await runHelm(words, { ...io, stdout: sink, stderr: { write: () => undefined } });
  if (status !== 0) return [];
  const rows = JSON.parse(text) as readonly Readonly<Record<string, unknown>>[];
  return rows.map((row) => String(row[field])).sort();
}
