import { stripVTControlCharacters, styleText } from "node:util";
import { humanSize } from "../format/units.ts";

/** A step, as it is announced. */
export interface BuildVertex {
  readonly digest: string;
  readonly name: string;
  readonly metadata?: boolean;
  readonly step?: { readonly stage: string; readonly text: string };
}

/** An event of the builder, as `POST /boxship/build` sends it. */
export interface BuildEvent {
  readonly kind: "vertex" | "started" | "completed" | "failed" | "log" | "status" | "warning";
  readonly vertex: string | BuildVertex;
  readonly time?: number;
  readonly cached?: boolean;
  readonly imageId?: string;
  readonly error?: string;
  readonly stream?: "stdout" | "stderr";
  /** Base64. */
  readonly data?: string;
  readonly id?: string;
  readonly name?: string;
  readonly current?: number;
  readonly total?: number;
  readonly warning?: { readonly message: string };
}

/** Shows what a build does. */
export interface BuildProgress {
  push(event: BuildEvent): void;
  /** The build is over; what moves is taken away. */
  end(): void;
}

interface Shown {
  readonly number: number;
  readonly name: string;
  readonly metadata: boolean;
  state: "waiting" | "running" | "done" | "cached" | "failed";
  started: number;
  ended: number;
  /** The last lines of its output. */
  readonly tail: string[];
  partial: string;
  status: string;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)}s`;
}

/** The vertices of a build and their output, cut into lines. */
class Vertices {
  readonly all = new Map<string, Shown>();
  #count = 0;

  /** @returns the vertex that an event is about, with the lines that it completes */
  take(event: BuildEvent): { readonly vertex: Shown; readonly lines: readonly string[] } | undefined {
    if (typeof event.vertex !== "string") {
      const { digest, name, metadata = false } = event.vertex;
      this.all.set(digest, {
        number: 0,
        name,
        metadata,
        state: "waiting",
        started: 0,
        ended: 0,
        tail: [],
        partial: "",
        status: "",
      });
      return undefined;
    }
    const known = this.all.get(event.vertex);
    if (known === undefined) return undefined;
    const vertex = known.number === 0 && !known.metadata ? { ...known, number: ++this.#count } : known;
    this.all.set(event.vertex, vertex);
    return { vertex, lines: apply(vertex, event) };
  }
}

function apply(vertex: Shown, event: BuildEvent): readonly string[] {
  const time = event.time ?? 0;
  switch (event.kind) {
    case "started":
      vertex.state = "running";
      vertex.started = time;
      return [];
    case "completed":
      vertex.state = event.cached === true ? "cached" : "done";
      vertex.ended = time;
      return rest(vertex);
    case "failed":
      vertex.state = "failed";
      vertex.ended = time;
      return rest(vertex);
    case "log":
      return linesOf(vertex, Buffer.from(event.data ?? "", "base64").toString());
    case "status": {
      const { current = 0, total = 0, name = "" } = event;
      vertex.status = total > 0 ? `${name} ${humanSize(current)} / ${humanSize(total)}` : name;
      return [];
    }
    default:
      return [];
  }
}

function rest(vertex: Shown): readonly string[] {
  const { partial } = vertex;
  vertex.partial = "";
  return partial === "" ? [] : [partial];
}

function linesOf(vertex: Shown, text: string): readonly string[] {
  const lines = `${vertex.partial}${text}`.split(/\r?\n/);
  vertex.partial = lines.pop() ?? "";
  vertex.tail.push(...lines);
  vertex.tail.splice(0, vertex.tail.length - TAIL);
  return lines;
}

/** Lines of a running command's output that the tree shows. */
const TAIL = 5;

/** `#5 [2/3] RUN make`, `#5 0.123 output`, `#5 DONE 1.2s`. */
export function plainProgress(output: NodeJS.WriteStream): BuildProgress {
  const vertices = new Vertices();
  return {
    push(event) {
      const found = vertices.take(event);
      if (found === undefined) return;
      const { vertex, lines } = found;
      if (vertex.metadata && event.kind !== "failed") return;
      const prefix = `#${vertex.number}`;
      const at = ((event.time ?? vertex.started) - vertex.started) / 1000;
      if (event.kind === "started") output.write(`${prefix} ${vertex.name}\n`);
      for (const line of lines) output.write(`${prefix} ${at.toFixed(3)} ${line}\n`);
      if (event.kind === "completed") {
        const end = vertex.state === "cached" ? "CACHED" : `DONE ${seconds(vertex.ended - vertex.started)}`;
        output.write(`${prefix} ${end}\n\n`);
      }
      if (event.kind === "failed") output.write(`${prefix} ERROR: ${event.error ?? ""}\n\n`);
    },
    end: () => {},
  };
}

const REDRAW_MS = 80;

/** A live list of the steps on a terminal: what is done, what runs with its last lines, rewritten in place. */
export class TreeProgress implements BuildProgress {
  readonly #output: NodeJS.WriteStream;
  readonly #vertices = new Vertices();
  readonly #timer: NodeJS.Timeout;
  readonly #began = Date.now();
  #drawn = 0;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  push(event: BuildEvent): void {
    this.#vertices.take(event);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#draw(true);
  }

  #draw(last = false): void {
    const rows = Math.max(5, (this.#output.rows || 24) - 2);
    const columns = Math.max(20, this.#output.columns || 80);
    const lines = this.#lines(last).map((line) => cut(line, columns - 1));
    // At the end all is shown; before it only what fits, so that it can be rewritten.
    const shown = last ? lines : [lines[0] ?? "", ...lines.slice(1).slice(-(rows - 1))];
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : "";
    this.#output.write(`${up}\u001b[J${shown.join("\n")}\n`);
    this.#drawn = shown.length;
  }

  #lines(last: boolean): readonly string[] {
    const shown = [...this.#vertices.all.values()].filter(({ metadata, state }) => !metadata || state === "failed");
    const begun = shown.filter(({ state }) => state !== "waiting");
    const finished = begun.filter(({ state }) => state === "done" || state === "cached").length;
    const head = `[+] Building ${seconds(Date.now() - this.#began)} (${finished}/${shown.length})`;
    return [last ? `${head} FINISHED` : head, ...begun.flatMap((vertex) => vertexLines(vertex, last))];
  }
}

function vertexLines(vertex: Shown, last: boolean): readonly string[] {
  const { name, state, started, ended, tail, status } = vertex;
  const time = seconds((ended === 0 ? Date.now() : ended) - started);
  switch (state) {
    case "cached":
      return [styleText("blue", ` => CACHED ${name}`)];
    case "done":
      return [styleText("blue", ` => ${name} ${time}`)];
    case "failed":
      return [styleText("red", ` => ERROR ${name} ${time}`), ...(last ? tail.map((line) => ` => => ${line}`) : [])];
    default: {
      const more = status === "" ? [] : [` => => ${status}`];
      return [` => ${name} ${time}`, ...more, ...tail.map((line) => styleText("dim", ` => => ${line}`))];
    }
  }
}

/** A line that fits; one with colours is cut without them. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : plain.slice(0, columns);
}

/** The events as they are, one JSON text to a line. */
export function rawProgress(output: NodeJS.WriteStream): BuildProgress {
  return { push: (event) => void output.write(`${JSON.stringify(event)}\n`), end: () => {} };
}

/** Nothing is shown. */
export const quietProgress: BuildProgress = { push: () => {}, end: () => {} };
