import type { FlagSet } from "./flag.ts";

/** Breaks a text at spaces into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** The option list of a help text: flags by name, their help wrapped to the width. */
export function describeFlags(flags: FlagSet, width: number): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => !flag.hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => {
      const short = flag.short === undefined ? "    " : `-${flag.short}, `;
      const hint = flag.hint === undefined ? "" : ` ${flag.hint}`;
      const shown = flag.shown === undefined ? "" : ` (default ${flag.shown})`;
      return { left: `  ${short}--${name}${hint}`, help: flag.help + shown };
    });
  const column = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  const indent = " ".repeat(column);
  return rows
    .map(({ left, help }) => left.padEnd(column) + wrap(help, Math.max(24, width - column)).join(`\n${indent}`))
    .join("\n");
}
