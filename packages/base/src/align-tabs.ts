export interface TabOptions {
  /** Least width of a column, padding included. @default 10 */
  readonly minWidth?: number;
  /** Spaces after the widest cell of a column. @default 3 */
  readonly padding?: number;
  /** Columns of a terminal that a text takes. @default one a character */
  readonly widthOf?: (text: string) => number;
}

/**
 * Aligns text in columns: each tab ends a cell, and the cells of consecutive lines that stand in the same place form a
 * column as wide as its widest. What follows a line's last tab belongs to no column.
 */
export function alignTabs(text: string, options: TabOptions = {}): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const { minWidth = 10, padding = 3, widthOf = (cell) => Array.from(cell).length } = options;
  const output: string[] = [];
  const widths: number[] = [];

  const write = (from: number, to: number): void => {
    for (const cells of lines.slice(from, to)) {
      const padded = cells.map((cell, index) => {
        const width = widths[index];
        return width === undefined ? cell : cell + " ".repeat(Math.max(0, width - widthOf(cell)));
      });
      output.push(padded.join(""));
    }
  };

  /** Writes lines of which all have the columns so far, block after block of the next column. */
  const format = (from: number, to: number): void => {
    const column = widths.length;
    const hasCell = (line: number): boolean => column < (lines[line]?.length ?? 0) - 1;
    let start = from;
    for (let line = from; line < to; line++) {
      if (!hasCell(line)) continue;
      write(start, line);
      start = line;
      let width = minWidth;
      for (; line < to && hasCell(line); line++) {
        width = Math.max(width, widthOf(lines[line]?.[column] ?? "") + padding);
      }
      widths.push(width);
      format(start, line);
      widths.pop();
      start = line;
    }
    write(start, to);
  };

  format(0, lines.length);
  return output.join("\n");
}
