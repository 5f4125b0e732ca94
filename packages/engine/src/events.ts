import type { Clock } from "@boxship/base";
import type { EngineEvent, EventsApi } from "./engine-api.ts";
import type { EventLog } from "./event-log.ts";

/** How many past events `since` can reach back to. */
const KEPT = 1024;

/** Delivers what happens to whoever listens, in order, and remembers the latest for late comers. */
export class EventBus implements EventsApi {
  readonly #clock: Clock;
  readonly #log: EventLog;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #recent: EngineEvent[];
  #lastTime: bigint;

  /** @param log what happened before, and where it is kept; the caller disposes of it */
  constructor(clock: Clock, log: EventLog) {
    this.#clock = clock;
    this.#log = log;
    this.#recent = log.past.slice(-KEPT);
    this.#lastTime = this.#recent.at(-1)?.time ?? 0n;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  publish(
    type: EngineEvent["type"],
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    // Strictly increasing, so that `since` with the time of the last event seen neither repeats nor drops one.
    const wall = BigInt(Math.round(this.#clock.now() * 1e6));
    this.#lastTime = wall > this.#lastTime ? wall : this.#lastTime + 1n;
    const event: EngineEvent = { type, action, actor: { id, attributes }, time: this.#lastTime };
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent.shift();
    this.#log.append(event);
    for (const listener of this.#listeners) listener(event);
  }

  subscribe(listener: (event: EngineEvent) => void): Disposable {
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  recent(): readonly EngineEvent[] {
    return [...this.#recent];
  }
}
