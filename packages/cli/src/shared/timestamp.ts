/**
 * `--since` and `--until` as the engine takes them: seconds since the epoch, maybe with a fraction. A duration counts
 * back from now; a date without a zone is local.
 *
 * @returns the text as it is when it is neither: the engine says what is wrong with it
 */
export function toTimestamp(text: string, now: number, parseDuration: (text: string) => number): string {
  if (text === "" || /^\d+(\.\d+)?$/.test(text)) return text;
  if (/^[\d.]+[a-z\u00b5]/.test(text)) {
    try {
      return seconds(now - parseDuration(text) / 1e6);
    } catch {
      return text;
    }
  }
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00:00` : text) : Number.NaN;
  if (Number.isNaN(date)) return text;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1];
  return fraction === undefined ? seconds(date) : `${Math.floor(date / 1000)}.${fraction.padEnd(9, "0")}`;
}

function seconds(milliseconds: number): string {
  return `${Math.floor(milliseconds / 1000)}.${String(Math.floor(milliseconds % 1000)).padStart(3, "0")}000000`;
}
