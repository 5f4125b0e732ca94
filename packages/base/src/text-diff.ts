/** Lines that differ between two texts, in the unified form with three lines around them; empty where none does. */
export function unifiedDiff(before: string, after: string, name: string): string {
  const hunks = differingHunks(before, after);
  return hunks === "" ? "" : `--- ${name}\n+++ ${name}\n${hunks}`;
}

/** As {@link unifiedDiff}, without names. */
export function differingHunks(before: string, after: string): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const edits = [
    ...a.slice(0, start).map((line) => ` ${line}`),
    ...editsOf(a.slice(start, a.length - tail), b.slice(start, b.length - tail)),
    ...a.slice(a.length - tail).map((line) => ` ${line}`),
  ];
  return edits.some((line) => !line.startsWith(" ")) ? hunksOf(edits).join("") : "";
}

const linesOf = (text: string): readonly string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** Larger middles are shown as gone and come: the table of all pairs would take too much memory. */
const MOST_PAIRS = 4_000_000;

function editsOf(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length * b.length > MOST_PAIRS) return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let x = a.length - 1; x >= 0; x--) {
    for (let y = b.length - 1; y >= 0; y--) {
      common[x * width + y] =
        a[x] === b[y]
          ? (common[(x + 1) * width + y + 1] ?? 0) + 1
          : Math.max(common[(x + 1) * width + y] ?? 0, common[x * width + y + 1] ?? 0);
    }
  }
  const edits: string[] = [];
  let [x, y] = [0, 0];
  while (x < a.length || y < b.length) {
    if (x < a.length && y < b.length && a[x] === b[y]) {
      edits.push(` ${a[x++] ?? ""}`);
      y++;
    } else if (
      y >= b.length ||
      (x < a.length && (common[(x + 1) * width + y] ?? 0) >= (common[x * width + y + 1] ?? 0))
    ) {
      edits.push(`-${a[x++] ?? ""}`);
    } else edits.push(`+${b[y++] ?? ""}`);
  }
  return edits;
}

const CONTEXT = 3;

function hunksOf(edits: readonly string[]): readonly string[] {
  const hunks: string[] = [];
  let [left, right] = [1, 1];
  for (let at = 0; at < edits.length; ) {
    if (edits[at]?.startsWith(" ")) {
      const next = edits.findIndex((line, index) => index > at && !line.startsWith(" "));
      const skip = next < 0 ? edits.length - at : Math.max(0, next - at - CONTEXT);
      if (skip > 0) {
        at += skip;
        left += skip;
        right += skip;
        continue;
      }
    }
    let end = at;
    for (let quiet = 0; end < edits.length && quiet <= 2 * CONTEXT; end++)
      quiet = edits[end]?.startsWith(" ") ? quiet + 1 : 0;
    while (
      end > at &&
      edits
        .slice(at, end)
        .reverse()
        .findIndex((line) => !line.startsWith(" ")) > CONTEXT
    )
      end--;
    const lines = edits.slice(at, end);
    const [gone, come] = [
      lines.filter((line) => !line.startsWith("+")).length,
      lines.filter((line) => !line.startsWith("-")).length,
    ];
    hunks.push(`@@ -${left},${gone} +${right},${come} @@\n${lines.join("\n")}\n`);
    left += gone;
    right += come;
    at = end;
  }
  return hunks;
}
