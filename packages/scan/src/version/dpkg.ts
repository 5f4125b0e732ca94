import { compareDigits } from "@boxship/base";

interface DpkgVersion {
  readonly epoch: string;
  readonly upstream: string;
  readonly revision: string;
}

function parse(text: string): DpkgVersion {
  const version = text.trim();
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon === -1 ? "0" : version.slice(0, colon),
    upstream: dash === -1 ? rest : rest.slice(0, dash),
    revision: dash === -1 ? "" : rest.slice(dash + 1),
  };
}

/** Versions of Debian packages (deb-version(7)). */
export function compareDpkg(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  return compareDigits(x.epoch, y.epoch) || comparePart(x.upstream, y.upstream) || comparePart(x.revision, y.revision);
}

/** `~` sorts before the end, the end and digits before letters, letters before the rest. */
function order(character: string | undefined): number {
  if (character === undefined || /\d/.test(character)) return 0;
  if (character === "~") return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

function comparePart(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a[i])) || (j < b.length && !isDigit(b[j]))) {
      const difference = order(a[i]) - order(b[j]);
      if (difference !== 0) return Math.sign(difference);
      i++;
      j++;
    }
    const [x, y] = [digitsAt(a, i), digitsAt(b, j)];
    const difference = compareDigits(x || "0", y || "0");
    if (difference !== 0) return difference;
    i += x.length;
    j += y.length;
  }
  return 0;
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}

function digitsAt(text: string, start: number): string {
  return /^\d*/.exec(text.slice(start))?.[0] ?? "";
}
