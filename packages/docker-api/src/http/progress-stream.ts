import type { Progress } from "@boxship/engine";
import { progressBar } from "../format/byte-size.ts";
import type { ApiCall } from "./call.ts";
import { JsonStream } from "./json-stream.ts";

/** Counts of one thing are written at most this often. */
const INTERVAL_MS = 100;

interface Line {
  readonly status: string;
  readonly at: number;
}

/**
 * Progress of long work as Docker streams it: JSON objects, each about one `id`. Counts of the same step are thinned
 * out in time, and when the client is behind; a change of step is always written.
 */
export class ProgressStream {
  readonly #call: ApiCall;
  readonly #stream: JsonStream;
  readonly #last = new Map<string, Line>();
  #behind = false;

  constructor(call: ApiCall) {
    this.#call = call;
    this.#stream = new JsonStream(call, "\r\n");
  }

  push(progress: Progress): void {
    const { id, status, current, total } = progress;
    const now = this.#call.context.clock.monotonic();
    if (id !== undefined && current !== undefined) {
      const last = this.#last.get(id);
      const finished = total !== undefined && current >= total;
      const same = last?.status === status;
      if (same && !finished && (this.#behind || now - last.at < INTERVAL_MS)) return;
    }
    if (id !== undefined) this.#last.set(id, { status, at: now });
    this.#write(encodeProgress(progress));
  }

  /** Any other object, e.g. `aux`. */
  value(value: unknown): void {
    this.#write(value);
  }

  /** Reports an error in the stream, or throws it on when nothing was sent yet. */
  fail(error: unknown): void {
    this.#stream.fail(error);
  }

  end(): void {
    if (!this.#stream.closed) this.#stream.end();
  }

  #write(value: unknown): void {
    const behind = this.#stream.write(value);
    if (behind === undefined) return;
    this.#behind = true;
    void behind.then(() => {
      this.#behind = false;
    });
  }
}

function encodeProgress({ id, status, current, total }: Progress): Record<string, unknown> {
  const detail =
    current === undefined
      ? {}
      : {
          progressDetail: { current, ...(total === undefined ? {} : { total }) },
          progress: progressBar(current, total ?? 0),
        };
  const empty = id !== undefined && current === undefined ? { progressDetail: {} } : {};
  return { status, ...empty, ...detail, ...(id === undefined ? {} : { id }) };
}
