import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Timer } from "@boxship/base";

/** In each window of so many milliseconds … */
const WINDOW = 5 * 60_000;
/** … a client that is waited for moves so many bytes, or is ended: about 870 a second, and a piece of a large blob. */
const LEAST = 256 * 1024;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** When the window began, and what had been moved until then. */
  since: number;
  moved: number;
}

/**
 * Ends clients that send or take so little that they only hold what a request holds: a file, a buffer, a place. What a slow
 * upload brought stays, as of any that is cut. Time in which it is not the client that is waited for does not count.
 */
export class SlowClients implements Disposable {
  readonly #clock: Clock;
  readonly #exchanges = new Set<Exchange>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(request: IncomingMessage, response: ServerResponse): void {
    const exchange = { request, response, since: this.#clock.monotonic(), moved: moved(request) };
    this.#exchanges.add(exchange);
    response.once("close", () => this.#exchanges.delete(exchange));
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#exchanges.size === 0) return;
    this.#timer = this.#clock.setTimeout(WINDOW / 5, () => {
      this.#timer = undefined;
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const now = this.#clock.monotonic();
    for (const exchange of this.#exchanges) {
      const { request, response, since } = exchange;
      const waiting = isWaitedFor(request, response);
      if (waiting && now - since < WINDOW) continue;
      const bytes = moved(request);
      if (waiting && bytes - exchange.moved < LEAST) request.socket.destroy();
      exchange.since = now;
      exchange.moved = bytes;
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

/** Bytes that came from a client, and that it took. */
function moved({ socket }: IncomingMessage): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** Whether it is the client's turn: its body does not come although there is room, or the answer is not taken. */
function isWaitedFor(request: IncomingMessage, response: ServerResponse): boolean {
  if (!request.complete && request.readableLength < request.readableHighWaterMark) return true;
  return response.headersSent && response.writableLength > 0;
}
