const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes with a decimal unit and four significant digits: `12.34MB`. */
export function byteSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${UNITS[unit]}`;
}

const BAR_WIDTH = 50;

/** Docker's text bar, for clients that print `progress` as it is. */
export function progressBar(current: number, total: number): string {
  if (total <= 0) return byteSize(current).padStart(8);
  const filled = Math.min(BAR_WIDTH, Math.trunc((current / total) * BAR_WIDTH));
  const bar = `${"=".repeat(filled)}>${" ".repeat(BAR_WIDTH - filled)}`;
  return `[${bar}] ${byteSize(current).padStart(8)}/${byteSize(total)}`;
}
