import { PassThrough } from "node:stream";
import type { AttachOptions, StreamSession } from "../engine-api.ts";
import { FrameQueue } from "../stream/frame-queue.ts";

/**
 * A client that attached to a container which does not run yet: it holds a {@link StreamSession} that is joined to the
 * real streams right before the process starts, so that not a byte is missed.
 */
export class PendingAttach {
  readonly session: StreamSession;
  readonly options: AttachOptions;
  readonly #queue = new FrameQueue();
  readonly #stdin: PassThrough | undefined;
  #close: () => void;

  constructor(tty: boolean, options: AttachOptions, onAbandon: () => void) {
    this.options = options;
    this.#stdin = options.stdin ? new PassThrough() : undefined;
    this.#close = onAbandon;
    this.session = {
      tty,
      ...(this.#stdin === undefined ? {} : { stdin: this.#stdin }),
      output: this.#queue,
      close: () => {
        this.#close();
        this.#queue.abandon();
      },
    };
  }

  /** Joins the client to the streams of the process; called once. */
  connect(real: StreamSession): void {
    this.#close = () => real.close();
    if (this.#stdin !== undefined && real.stdin !== undefined) this.#stdin.pipe(real.stdin);
    void this.#pump(real);
  }

  async #pump(real: StreamSession): Promise<void> {
    try {
      for await (const frame of real.output) {
        if (!this.#queue.push(frame)) await new Promise<void>((resolve) => (this.#queue.onDrain = resolve));
      }
    } finally {
      this.#queue.end();
    }
  }

  /** The container was not started after all: the client sees the end of the stream. */
  fail(): void {
    this.#queue.end();
  }
}
