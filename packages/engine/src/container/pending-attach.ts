import { PassThrough, Readable } from "node:stream";
import type { AttachStreams } from "@boxship/runtime";
import type { AttachOptions, OutputFrame, StreamSession } from "../engine-api.ts";

/**
 * A client that attached to a container which does not run yet: it holds a {@link StreamSession} that is joined to the
 * real streams right before the process starts, so that not a byte is missed.
 */
export class PendingAttach {
  readonly session: StreamSession;
  readonly options: AttachOptions;
  readonly #output = new LaterOutput();
  readonly #stdin: PassThrough | undefined;
  #close: () => void;
  #closed = false;

  constructor(tty: boolean, options: AttachOptions, onAbandon: () => void) {
    this.options = options;
    this.#stdin = options.stdin ? new PassThrough() : undefined;
    this.#close = onAbandon;
    this.session = {
      tty,
      ...(this.#stdin === undefined ? {} : { stdin: this.#stdin }),
      output: this.#output,
      close: () => {
        this.#closed = true;
        this.#close();
        this.#output.finish();
      },
    };
  }

  /** Joins the client to the streams of the process; called once. */
  connect(real: AttachStreams): void {
    if (this.#closed) {
      real.close();
      return;
    }
    this.#close = () => real.close();
    if (this.#stdin !== undefined && real.stdin !== undefined) this.#stdin.pipe(real.stdin);
    this.#output.follow(real.output);
  }

  /** The container was not started after all: the client sees the end of the stream. */
  fail(): void {
    this.#output.finish();
  }
}

/** Frames of a stream that is there later, at the reader's pace. */
class LaterOutput extends Readable {
  #source: Readable | undefined;
  #finished = false;

  constructor() {
    super({ objectMode: true, highWaterMark: 16 });
  }

  follow(source: Readable): void {
    this.#source = source;
    source.on("data", (frame: OutputFrame) => {
      if (!this.#finished && !this.push(frame)) source.pause();
    });
    source.on("close", () => this.finish());
    source.on("end", () => this.finish());
  }

  /** What has come can still be read, then it ends. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.push(null);
  }

  override _read(): void {
    this.#source?.resume();
  }
}
