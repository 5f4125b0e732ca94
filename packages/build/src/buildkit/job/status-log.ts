import { type Init, timestamp, type ValueOf } from "@boxship/grpc";
import type { BuildWarning, ProgressEvent, Vertex } from "../../contract.ts";
import { StatusResponse, type Vertex as VertexMessage } from "../wire/control.ts";
import { sourceText } from "./error-details.ts";

type Message = Init<ValueOf<typeof StatusResponse>>;
type WireVertex = Init<ValueOf<typeof VertexMessage>>;

/** Events that come closer together are told together. */
const GATHER_MS = 20;
/** A message with more output than that goes out at once: clients take no more than 16 MiB in one. */
const GATHER_BYTES = 256 << 10;

/** Output of one step that is told, as BuildKit has it; of what is more, the end is told with the step's own end. */
const LOG_BYTES = 2 << 20;
const TAIL_BYTES = 16 << 10;
const CLIPPED = Buffer.from("\n[output clipped, log limit 2MiB reached]\n");

interface Known {
  readonly vertex: Vertex;
  started: number | undefined;
  /** Bytes of its output. */
  logged: number;
  /** The end of the output that is left out. */
  tail: Buffer;
}

/**
 * What happens in a build, as BuildKit's clients read it. It is kept whole, so that whoever asks late hears all of it;
 * readers go at their own pace.
 */
export class StatusLog {
  readonly #messages: Uint8Array[] = [];
  readonly #known = new Map<string, Known>();
  readonly #byName = new Map<string, string>();
  /** What a warning about the Containerfile is shown with. */
  #first: string | undefined;
  readonly #wake = new Set<() => void>();
  #gathering: { vertexes: WireVertex[]; statuses: object[]; logs: object[]; warnings: object[]; bytes: number };
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #steps = { total: 0, completed: 0, cached: 0, warnings: 0 };

  constructor() {
    this.#gathering = { vertexes: [], statuses: [], logs: [], warnings: [], bytes: 0 };
  }

  get steps(): {
    readonly total: number;
    readonly completed: number;
    readonly cached: number;
    readonly warnings: number;
  } {
    return this.#steps;
  }

  /** Encoded messages so far. */
  get messages(): readonly Uint8Array[] {
    return this.#messages;
  }

  /** The digest of the latest vertex of that name. */
  find(name: string): string | undefined {
    return this.#byName.get(name);
  }

  add(event: ProgressEvent): void {
    if (this.#ended) return;
    switch (event.kind) {
      case "vertex":
        this.#announce(event.vertex);
        break;
      case "started":
        this.#update(event.vertex, event.time, {});
        break;
      case "completed":
        this.#tellTail(event.vertex, event.time);
        this.#steps.completed++;
        if (event.cached) this.#steps.cached++;
        this.#update(event.vertex, event.time, { completed: timestamp(event.time), cached: event.cached });
        break;
      case "failed":
        this.#tellTail(event.vertex, event.time);
        this.#update(event.vertex, event.time, { completed: timestamp(event.time), error: event.error });
        break;
      default:
        this.#detail(event);
    }
    this.#schedule();
  }

  #detail(event: Extract<ProgressEvent, { kind: "log" | "status" | "warning" }>): void {
    if (event.kind === "warning") {
      this.#warn(event.vertex === "" ? this.#first : event.vertex, event.warning);
      return;
    }
    const known = this.#known.get(event.vertex);
    if (known === undefined) return;
    if (event.kind === "log") {
      const before = known.logged;
      known.logged += event.data.length;
      if (known.logged <= LOG_BYTES) this.#log(event);
      else known.tail = Buffer.concat([known.tail, event.data]).subarray(-TAIL_BYTES);
      if (before <= LOG_BYTES && known.logged > LOG_BYTES) this.#log({ ...event, data: CLIPPED });
    } else {
      this.#gathering.statuses.push({
        id: event.id,
        vertex: event.vertex,
        name: event.name,
        current: event.current,
        total: event.total,
        timestamp: timestamp(event.time),
        started: timestamp(event.started),
        completed: event.completed === undefined ? undefined : timestamp(event.completed),
      });
    }
  }

  #warn(vertex: string | undefined, warning: BuildWarning): void {
    if (vertex === undefined || !this.#known.has(vertex)) return;
    this.#steps.warnings++;
    const message = warningMessage(vertex, warning);
    this.#gathering.warnings.push(message);
    this.#gathering.bytes += 256 + message.short.length + message.info.data.length;
  }

  #log({ vertex, time, stream, data }: Extract<ProgressEvent, { kind: "log" }>): void {
    this.#gathering.bytes += data.length;
    this.#gathering.logs.push({
      vertex,
      timestamp: timestamp(time),
      stream: stream === "stdout" ? 1 : 2,
      message: data,
    });
  }

  /** How a step ended is in the last lines of its output. */
  #tellTail(vertex: string, time: number): void {
    const known = this.#known.get(vertex);
    if (known === undefined || known.tail.length === 0) return;
    const data = known.tail.subarray(known.tail.indexOf(10) + 1);
    known.tail = Buffer.alloc(0);
    this.#log({ kind: "log", vertex, time, stream: "stdout", data });
  }

  /** No more will happen. */
  end(): void {
    this.#flush();
    this.#ended = true;
    for (const wake of this.#wake) wake();
  }

  /** Messages from the first on, until {@link end}. */
  async *read(signal: AbortSignal): AsyncGenerator<Message> {
    for (let index = 0; ; index++) {
      while (index >= this.#messages.length) {
        if (this.#ended) return;
        await this.#more(signal);
        signal.throwIfAborted();
      }
      yield StatusResponse.decode(this.#messages[index] ?? new Uint8Array(0));
    }
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  #announce(vertex: Vertex): void {
    // Such steps are not among those that BuildKit's clients count.
    if (vertex.metadata === true) return;
    this.#steps.total++;
    this.#first ??= vertex.digest;
    this.#known.set(vertex.digest, { vertex, started: undefined, logged: 0, tail: Buffer.alloc(0) });
    this.#byName.set(vertex.name, vertex.digest);
    this.#gathering.vertexes.push(wireVertex(vertex));
  }

  #update(digest: string, time: number, more: WireVertex): void {
    const known = this.#known.get(digest);
    if (known === undefined) return;
    known.started ??= time;
    this.#gathering.vertexes.push({ ...wireVertex(known.vertex), started: timestamp(known.started), ...more });
  }

  #schedule(): void {
    if (this.#gathering.bytes >= GATHER_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { vertexes, statuses, logs, warnings } = this.#gathering;
    this.#gathering = { vertexes: [], statuses: [], logs: [], warnings: [], bytes: 0 };
    if (vertexes.length + statuses.length + logs.length + warnings.length === 0) return;
    this.#messages.push(StatusResponse.encode({ vertexes, statuses, logs, warnings }));
    for (const wake of this.#wake) wake();
  }
}

function wireVertex({ digest, inputs, name, platform }: Vertex): WireVertex {
  return { digest, inputs, name: platform === undefined || name.includes(platform) ? name : `[${platform}] ${name}` };
}

function warningMessage(vertex: string, warning: BuildWarning) {
  const { rule, message, detail, url = "", file = "", lines, excerpt = [] } = warning;
  return {
    vertex,
    level: 1,
    short: Buffer.from(`${rule}: ${message}${lines === undefined ? "" : ` (line ${lines[0]})`}`),
    detail: detail === undefined ? [] : [Buffer.from(detail)],
    url,
    info: { filename: file, data: sourceText({ excerpt }), language: "Dockerfile" },
    ranges: lines === undefined ? [] : [{ start: { line: lines[0] }, end: { line: lines[1] } }],
  };
}
