import { InvalidArgument } from "@boxship/base/errors";

/** What `--chmod` makes of a file's permissions. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const CLAUSE = /^([ugoa]*)([-+=][rwxXst]*)+$/;
const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };

/**
 * Reads octal digits, or chmod(1)'s words: `u+x,go-w`, `a=rX`.
 *
 * @throws InvalidArgument
 */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8) & 0o7777;
    return () => mode;
  }
  const clauses = text.split(",");
  if (text === "" || !clauses.every((clause) => CLAUSE.test(clause))) {
    throw new InvalidArgument(`invalid chmod parameter: '${text}'. it should be octal string or symbolic mode`, {
      remedy: "write --chmod=755 or --chmod=u+x,go-w",
    });
  }
  return (mode, isDirectory) => clauses.reduce((current, clause) => applyClause(current, clause, isDirectory), mode);
}

function applyClause(mode: number, clause: string, isDirectory: boolean): number {
  const who = /^[ugoa]*/.exec(clause)?.[0] ?? "";
  const mask = (who === "" ? ["a"] : who.split("")).reduce((bits, one) => bits | (WHO[one] ?? 0), 0);
  let result = mode;
  for (const [, operator, letters = ""] of clause.slice(who.length).matchAll(/([-+=])([rwxXst]*)/g)) {
    const bits = letters.split("").reduce((all, letter) => all | bitsOf(letter, result, isDirectory), 0) & mask;
    if (operator === "+") result |= bits;
    else if (operator === "-") result &= ~bits;
    else result = (result & ~(mask & 0o0777)) | bits;
  }
  return result & 0o7777;
}

function bitsOf(letter: string, mode: number, isDirectory: boolean): number {
  switch (letter) {
    case "r":
      return 0o444;
    case "w":
      return 0o222;
    case "x":
      return 0o111;
    case "X":
      return isDirectory || (mode & 0o111) !== 0 ? 0o111 : 0;
    case "s":
      return 0o6000;
    default:
      return 0o1000;
  }
}
