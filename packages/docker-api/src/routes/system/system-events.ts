import { InvalidArgument } from "@boxship/base";
import type { EngineApi, EngineEvent } from "@boxship/engine";
import type { ApiCall } from "../../http/call.ts";
import { Filters } from "../../http/filters.ts";
import { JsonStream } from "../../http/json-stream.ts";
import { timestamp } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { encodeEvent } from "../../view/event.ts";
import { EVENT_FILTERS, eventFilter } from "./event-filter.ts";

/** A client that is further behind than this is cut off: events are never left out of a stream silently. */
const MAX_BEHIND = 100_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

interface EventsQuery {
  readonly since?: number;
  readonly until?: number;
  readonly passes: (event: EngineEvent) => boolean;
}

function eventsQuery(query: URLSearchParams): EventsQuery {
  const since = timestamp(query, "since");
  const until = timestamp(query, "until");
  if (since !== undefined && until !== undefined && since > until) {
    throw new InvalidArgument(
      `\`since\` time (${query.get("since")}) cannot be after \`until\` time (${query.get("until")})`,
    );
  }
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    passes: eventFilter(Filters.from(query, EVENT_FILTERS)),
  };
}

const listeners = new WeakMap<EngineApi, number>();

/** How many clients follow the events of an engine. */
export function eventListeners(engine: EngineApi): number {
  return listeners.get(engine) ?? 0;
}

export const systemEvents = defineRoute({
  method: "GET",
  path: "/events",
  doc: { state: "works" },
  query: eventsQuery,
  handle: async (call, { query }) => {
    const { engine } = call;
    listeners.set(engine, eventListeners(engine) + 1);
    try {
      await follow(call, query);
    } finally {
      listeners.set(engine, eventListeners(engine) - 1);
    }
    return undefined;
  },
});

async function follow(call: ApiCall, { since, until, passes }: EventsQuery): Promise<void> {
  const { engine, signal, context } = call;
  const stream = new JsonStream(call);
  const queue: EngineEvent[] = [];
  let wake: (() => void) | undefined;
  const onEvent = (event: EngineEvent) => {
    if (!passes(event)) return;
    queue.push(event);
    if (queue.length > MAX_BEHIND) call.destroy();
    wake?.();
  };
  // Nothing runs between these two calls, so that no event is lost and none comes twice.
  using _subscription = engine.events.subscribe(onEvent);
  const past = since === undefined && until === undefined ? [] : engine.events.recent();
  const from = nanoseconds(since ?? 0);
  const to = until === undefined ? undefined : nanoseconds(until);
  queue.push(...past.filter((event) => event.time >= from && (to === undefined || event.time <= to) && passes(event)));
  stream.open();

  let ended = until !== undefined && until <= context.clock.now();
  const end = () => {
    ended = true;
    wake?.();
  };
  using _deadline =
    until === undefined ? undefined : context.clock.setTimeout(timerMs(until - context.clock.now()), end);
  signal.addEventListener("abort", end, { once: true });
  for (;;) {
    for (const event of queue.splice(0)) {
      await stream.writeText(encodeEvent(event));
      if (signal.aborted) break;
    }
    if (queue.length > 0 && !signal.aborted) continue;
    if (ended) break;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  stream.end();
}

/** What a timer of Node can wait. */
function timerMs(ms: number): number {
  return Math.max(0, Math.min(ms, MAX_TIMER_MS));
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.trunc(ms * 1000)) * 1000n;
}
