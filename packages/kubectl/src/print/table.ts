/** A cell of at most a line: what follows a line's end is left out. */
export function cellText(value: unknown): string {
  const text =
    typeof value === "string" ? value : value === undefined || value === null ? "<nil>" : JSON.stringify(value);
  const end = text.search(/[\f\n\r]/);
  return end < 0 ? text : `${text.slice(0, end)}...`;
}

export interface AlignOptions {
  /** @default 6 */
  readonly minWidth?: number;
  /** @default 3 */
  readonly padding?: number;
  /** Widths that were needed before; columns get no narrower, and it is kept up to date. */
  readonly remembered?: number[];
}

const widthOf = (text: string): number => Array.from(text).length;

/** Rows as lines: every cell but a row's last as wide as its column's widest, and some space. */
export function alignRows(rows: readonly (readonly string[])[], options: AlignOptions = {}): string {
  const { minWidth = 6, padding = 3, remembered = [] } = options;
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, index) => {
      remembered[index] = Math.max(remembered[index] ?? minWidth, widthOf(cell) + padding);
    });
  }
  return rows.map((row) => `${row.map((cell, index) => pad(cell, index, row.length, remembered)).join("")}\n`).join("");
}

function pad(cell: string, index: number, length: number, widths: readonly number[]): string {
  return index === length - 1 ? cell : cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
}
