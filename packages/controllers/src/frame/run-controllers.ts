import { type Clock, type Logger, systemClock } from "@boxship/base";
import { type ApiClient, EventRecorder } from "@boxship/client";
import type { ControllerDefinition } from "../contract.ts";
import { ObservedClient } from "./observed-client.ts";
import { RunningController } from "./running-controller.ts";
import { SharedInformers } from "./shared-informers.ts";

export interface RunControllersOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  readonly definitions: readonly ControllerDefinition[];
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** Controllers at work until they are disposed. */
export interface Controllers extends AsyncDisposable {
  /** Resolves when all caches know what is there, and work begins. */
  readonly ready: Promise<void>;
}

/** Starts controllers that share their caches. */
export function runControllers(options: RunControllersOptions): Controllers {
  const { client, definitions, clock = systemClock, logger } = options;
  const informers = new SharedInformers({ client, logger, clock });
  const observed = new ObservedClient(client, informers);
  const recorders: EventRecorder[] = [];
  const running = definitions.map((definition) => {
    const events = new EventRecorder({ client, component: definition.name, logger, clock });
    recorders.push(events);
    return new RunningController({ definition, client: observed, informers, events, clock, logger });
  });
  let working: Promise<void[]> | undefined;
  let ended = false;
  const ready = informers.start().then(() => {
    if (!ended) working = Promise.all(running.map((one) => one.run()));
  });
  return {
    ready,
    async [Symbol.asyncDispose]() {
      ended = true;
      for (const one of running) one[Symbol.dispose]();
      // Writes that wait for a cache end with it.
      await informers[Symbol.asyncDispose]();
      await working;
      await Promise.all(recorders.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
