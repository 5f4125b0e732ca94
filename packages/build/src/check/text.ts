import type { Place } from "../language/index.ts";

/** Rows with their columns under each other, as many blanks between as asked for; the last one is not padded. */
export function columns(rows: readonly (readonly string[])[], gap: number): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, Array.from(cell).length);
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : cell + " ".repeat((widths[index] ?? 0) - Array.from(cell).length + gap),
      )
      .join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** Lines of a file with those around them, as BuildKit's clients show them. */
export function showSource(lines: readonly string[], { file, lines: [from, to] }: Place): string {
  if (from < 1 || from > lines.length) return "";
  let [first, last] = [from, Math.min(to, lines.length)];
  const around = first === last ? 4 : 2;
  for (let given = 0; given < around; given++) {
    if (first > 1) {
      first--;
      given++;
    }
    if (last !== lines.length) {
      last++;
      given++;
    }
  }
  const shown = lines.slice(first - 1, last).map((text, index) => {
    const line = first + index;
    const mark = line >= from && line <= to ? ">>>" : "   ";
    return ` ${String(line).padStart(3)} | ${mark} ${text}\n`;
  });
  const rule = "--------------------\n";
  return `${file}:${from}\n${rule}${shown.join("")}${rule}`;
}
