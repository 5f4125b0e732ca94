import { splitWords } from "@boxship/oci";
import { type LineRange, type Place, refuse } from "./source.ts";

/** Lines that are part of an instruction: `<<EOF … EOF`. */
export interface Heredoc {
  /** The word that ends it. */
  readonly name: string;
  /** Variables in it are replaced: the name was not quoted. */
  readonly expand: boolean;
  /** `<<-`: tabs at the beginning of lines are dropped. */
  readonly chomp: boolean;
  /** With the number before `<<`, if there is one. */
  readonly descriptor: number;
  /** Of the lines between, each with its newline. Tabs are dropped already. */
  readonly content: string;
  readonly lines: LineRange;
}

const HEREDOC = /^(\d*)<<(-?)([^<]*)$/;

/** The heredocs that an instruction's line announces, in order. */
export function heredocsOf(line: string, escape: "\\" | "`"): readonly Omit<Heredoc, "content" | "lines">[] {
  return splitWords(line, escape).flatMap((word) => {
    const match = HEREDOC.exec(word);
    const raw = match?.[3] ?? "";
    const name = unquoted(raw);
    if (match === null || name === "" || !isOneWord(raw)) return [];
    return [{ name, expand: name === raw, chomp: match[2] === "-", descriptor: Number(match[1] || "0") }];
  });
}

function unquoted(word: string): string {
  return word.replace(/^'([^']*)'$|^"([^"]*)"$/, (_, single?: string, double?: string) => single ?? double ?? "");
}

/** An unbalanced quote, an operator or a bracket is shell, not a heredoc's name. */
function isOneWord(raw: string): boolean {
  return !/[()&;|`$]/.test(raw) && (raw.match(/'/g)?.length ?? 0) % 2 === 0 && (raw.match(/"/g)?.length ?? 0) % 2 === 0;
}

/**
 * Reads the bodies of heredocs.
 *
 * @param lines the whole file
 * @param from index of the line behind the instruction
 * @returns them, and the index behind the last one's end
 */
export function readHeredocs(
  announced: readonly Omit<Heredoc, "content" | "lines">[],
  lines: readonly string[],
  from: number,
  place: Place,
): { readonly heredocs: readonly Heredoc[]; readonly next: number } {
  const heredocs: Heredoc[] = [];
  let at = from;
  for (const heredoc of announced) {
    const first = at;
    let content = "";
    for (;;) {
      const line = lines[at];
      if (line === undefined) {
        refuse(place, "unterminated heredoc", `end the heredoc with a line that is ${heredoc.name} and nothing else`);
      }
      at++;
      const text = heredoc.chomp ? line.replace(/^\t+/, "") : line;
      if (text === heredoc.name) break;
      content += `${text}\n`;
    }
    heredocs.push({ ...heredoc, content, lines: [first + 1, at] });
  }
  return { heredocs, next: at };
}
