import type { Readable } from "node:stream";
import { ApiError } from "../api-client/api-error.ts";
import { humanSize } from "../format/units.ts";
import { jsonValues } from "./json-lines.ts";

/** One message of a pull, a build or another long work. */
interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number; readonly units?: string };
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly remedy?: string;
  readonly aux?: unknown;
}

export interface ProgressOptions {
  /** Where it is shown: bars that move on a terminal, lines elsewhere. Nothing is shown without it. */
  readonly output?: NodeJS.WriteStream | undefined;
  /** Called with out-of-band results, such as an image's id. */
  readonly onAux?: (aux: unknown) => void;
}

const CLEAR_LINE = "\u001b[2K\r";

/** The bar, the numbers, or both, of one message. */
export function describeProgress(detail: ProgressMessage["progressDetail"], columns: number): string {
  const { current = 0, total = 0, units } = detail ?? {};
  if (current <= 0 && total <= 0) return "";
  const amount = (value: number): string => (units ? `${value}` : humanSize(value));
  const suffix = units ? ` ${units}` : "";
  if (total <= 0 || current > total) return `${amount(current).padStart(units ? 0 : 8)}${suffix}`;
  const numbers = `${amount(current).padStart(units ? 0 : 8)}/${amount(total)}${suffix}`;
  if (columns <= 110) return numbers;
  const done = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  return `[${"=".repeat(done)}>${" ".repeat(50 - done)}] ${numbers}`;
}

/** Shows the messages of a stream until it ends. @throws ApiError with what the engine reports in the stream */
export async function showProgress(input: Readable, options: ProgressOptions = {}): Promise<void> {
  const { output } = options;
  const display = output === undefined ? undefined : output.isTTY ? new TerminalProgress(output) : linesOf(output);
  for await (const value of jsonValues(input)) {
    const message = value as ProgressMessage;
    const problem = message.errorDetail?.message ?? message.error;
    if (problem !== undefined) throw new StreamedError(problem, message.remedy);
    if (message.aux !== undefined) options.onAux?.(message.aux);
    else display?.show(message);
  }
}

/** A failure that the engine reports in the middle of an answer that began well. */
class StreamedError extends ApiError {
  constructor(reason: string, remedy: string | undefined) {
    super(500, reason, remedy);
    // The words before it are only said for refused requests.
    this.message = reason;
  }
}

interface Display {
  show(message: ProgressMessage): void;
}

function lineText({ id, status = "", stream }: ProgressMessage): string {
  if (stream !== undefined) return stream;
  return `${id === undefined ? "" : `${id}: `}${status}`;
}

/** Plain lines: a bar's messages are left out, the rest is printed as it comes. */
function linesOf(output: NodeJS.WriteStream): Display {
  return {
    show(message) {
      if (describeProgress(message.progressDetail, 200) !== "") return;
      output.write(lineText(message) + (message.stream === undefined ? "\n" : ""));
    },
  };
}

/** One line per id, rewritten in place. */
class TerminalProgress implements Display {
  readonly #output: NodeJS.WriteStream;
  #lines = new Map<string, number>();

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(message: ProgressMessage): void {
    const { id, progressDetail, stream } = message;
    if (id === undefined || id === "" || progressDetail === undefined) {
      // What stands between bars ends their block: lines above it are not touched again.
      this.#lines = new Map();
      this.#output.write(lineText(message) + (stream === undefined ? "\n" : ""));
      return;
    }
    let line = this.#lines.get(id);
    let text = "";
    if (line === undefined) {
      line = this.#lines.size;
      this.#lines.set(id, line);
      text += "\n";
    }
    const up = this.#lines.size - line;
    const bar = describeProgress(progressDetail, this.#output.columns || 80);
    text += `\u001b[${up}A${CLEAR_LINE}${lineText(message)}${bar === "" ? "" : ` ${bar}`}\r\u001b[${up}B`;
    this.#output.write(text);
  }
}
