import { type Directives, readDirectives } from "./directives.ts";
import { type Heredoc, heredocsOf, readHeredocs } from "./heredoc.ts";
import { type Place, refuse } from "./source.ts";

/** One instruction as it stands in the file: keyword, and the rest with continuation lines joined. */
export interface RawInstruction {
  readonly place: Place;
  /** In upper case. */
  readonly keyword: string;
  /** As it was written. */
  readonly written: string;
  /** Behind the keyword, trimmed. */
  readonly rest: string;
  readonly heredocs: readonly Heredoc[];
  /** Comment lines above, without their `#`; an empty one parts them from what is further up. */
  readonly comments: readonly string[];
}

export interface RawFile {
  readonly directives: Directives;
  /** Read as they are asked for. */
  readonly instructions: Iterable<RawInstruction>;
  readonly lines: readonly string[];
  /** Of the instructions that were read. */
  readonly warnings: readonly { readonly rule: string; readonly message: string; readonly place: Place }[];
}

/** Most bytes of a Containerfile. */
const MOST_BYTES = 4 << 20;
const HEREDOC_INSTRUCTIONS = new Set(["RUN", "COPY", "ADD", "ONBUILD"]);

/** Cuts a file into instructions: joins continued lines, leaves out comments and blank lines, gathers heredocs. */
export function readInstructions(file: string, bytes: Uint8Array, given?: Directives): RawFile {
  const lines = textLines(file, bytes);
  const directives = given ?? readDirectives(file, lines);
  const reader = new LineReader(file, lines, directives);
  return { directives, lines, instructions: reader.read(), warnings: reader.warnings };
}

function textLines(file: string, bytes: Uint8Array): readonly string[] {
  const start: Place = { file, lines: [1, 1] };
  if (bytes.length > MOST_BYTES) refuse(start, `the file has ${bytes.length} bytes, at most ${MOST_BYTES} are read`);
  if (bytes.includes(0)) refuse(start, "the file is not text: it holds a zero byte", "save it as UTF-8");
  const text = Buffer.from(bytes).toString("utf8");
  return (text.startsWith("\uFEFF") ? text.slice(1) : text).split("\n").map((line) => line.replace(/\r$/, ""));
}

class LineReader {
  readonly warnings: { readonly rule: string; readonly message: string; readonly place: Place }[] = [];
  readonly #file: string;
  readonly #lines: readonly string[];
  readonly #escape: "\\" | "`";
  readonly #continuation: RegExp;
  readonly #directiveLines: number;
  #at = 0;

  constructor(file: string, lines: readonly string[], { escape, lines: directiveLines = 0 }: Directives) {
    this.#file = file;
    this.#lines = lines;
    this.#escape = escape;
    this.#directiveLines = directiveLines;
    const token = RegExp.escape(escape);
    this.#continuation = new RegExp(`(?<!${token})${token}[ \\t]*$`);
  }

  *read(): Generator<RawInstruction> {
    let comments: string[] = [];
    while (this.#at < this.#lines.length) {
      const line = (this.#lines[this.#at] ?? "").trim();
      if (line === "" || line.startsWith("#")) {
        const comment = line.slice(1).trim();
        if (line === "#") comments = [];
        else if (line !== "" && this.#at >= this.#directiveLines) comments.push(comment);
        this.#at++;
        continue;
      }
      const instruction = this.#instruction(comments);
      if (instruction !== undefined) yield instruction;
      comments = [];
    }
  }

  #instruction(comments: readonly string[]): RawInstruction | undefined {
    const first = this.#at + 1;
    const text = this.#joined();
    if (text === "") return undefined;
    const written = /^\S+/.exec(text)?.[0] ?? "";
    const keyword = written.toUpperCase();
    const rest = text.slice(written.length).trim();
    const place: Place = { file: this.#file, lines: [first, this.#at] };
    const announced = HEREDOC_INSTRUCTIONS.has(keyword) ? heredocsOf(rest, this.#escape) : [];
    const { heredocs, next } = readHeredocs(announced, this.#lines, this.#at, place);
    this.#at = next;
    return { place: { file: this.#file, lines: [first, next] }, keyword, written, rest, heredocs, comments };
  }

  /** The text of one instruction, its continuation lines joined. */
  #joined(): string {
    let text = "";
    let blank = false;
    for (let start = true; this.#at < this.#lines.length; start = false) {
      const raw = this.#lines[this.#at++] ?? "";
      const line = start ? raw.trimStart() : raw;
      const trimmed = line.trim();
      if (!start && (trimmed === "" || trimmed.startsWith("#"))) {
        blank ||= trimmed === "";
        continue;
      }
      const mark = this.#continuation.exec(line);
      text += mark === null ? line : line.slice(0, mark.index);
      if (mark === null) break;
    }
    if (blank) {
      this.warnings.push({
        rule: "NoEmptyContinuation",
        message: "Empty continuation line",
        place: { file: this.#file, lines: [this.#at, this.#at] },
      });
    }
    return text.trim();
  }
}
