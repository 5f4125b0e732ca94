import type { ParsedSet } from "@boxship/base/parse-flags";
import type { Command, Entry } from "./command.ts";

export function describeGroup(entry: Entry, path: string): string {
  const names = (entry.children ?? [])
    .filter(({ refused, hidden }) => refused === undefined && hidden !== true)
    .map(({ name }) => `  ${name}`);
  const about = entry.summary === undefined ? "" : `${entry.summary}.\n\n`;
  return `${about}Available Commands:\n${names.join("\n")}\n\nUsage:\n  ${path} [flags] [options]\n\nUse "${path} <command> --help" for more information about a given command.\n`;
}

/** One line for each flag. */
export function flagRows(flags: ParsedSet): readonly string[] {
  return Object.entries(flags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { short, initial }]) => {
      const shown =
        typeof initial === "string" ? `'${initial}'` : typeof initial === "object" ? "[]" : JSON.stringify(initial);
      return `    ${short === undefined ? "" : `-${short}, `}--${name}=${shown}`;
    });
}

export function describeCommand({ summary, usage, flags }: Command, path: string): string {
  const rows = flagRows(flags);
  const options = rows.length === 0 ? "" : `Options:\n${rows.join("\n")}\n\n`;
  return `${summary}.\n\n${options}Usage:\n  ${path} ${usage}\n\nUse "kubectl options" for a list of global command-line options (applies to all commands).\n`;
}

/** Commands that a mistyped word may have meant. */
export function didYouMean(word: string, entry: Entry): string {
  const close = (entry.children ?? [])
    .map(({ name }) => name)
    .filter((name) => distance(word.toLowerCase(), name) <= 2 || name.startsWith(word.toLowerCase()));
  return close.length === 0 ? "" : `\n\nDid you mean this?\n${close.map((name) => `\t${name}\n`).join("")}`;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
