import { type KubeObject, timestamp } from "@boxship/api";
import { type Clock, type Logger, NotFound, systemClock } from "@boxship/base";
import type { ApiClient } from "../contract.ts";

export interface EventRecorderOptions {
  readonly client: ApiClient;
  /** Who tells, e.g. `deployment-controller`. */
  readonly component: string;
  /** The machine it is told on. @default "" */
  readonly host?: string;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export type EventType = "Normal" | "Warning";

interface Happening {
  readonly about: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface Known {
  readonly name: string;
  count: number;
}

const EVENTS = { group: "", version: "v1", resource: "events" } as const;
/** Of one object: so many at once, and one more in so many milliseconds. */
const BURST = 25;
const REFILL_MS = 300_000;
/** Events and objects that are remembered. */
const MOST = 4096;

/**
 * Tells what happened to objects, as Events. The same one again counts the first one up, and an object of which too much
 * is told is told of less often. Telling never fails: what cannot be written is logged.
 */
export class EventRecorder implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #last: Promise<void> = Promise.resolve();
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  record(about: KubeObject, type: EventType, reason: string, message: string): void {
    if (!this.#mayTell(about)) return;
    const happening = { about, type, reason, message, at: this.#clock.now() };
    this.#last = this.#last.then(() => this.#write(happening));
  }

  #mayTell({ metadata: { uid = "" } }: KubeObject): boolean {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    remember(this.#buckets, uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }

  async #write(happening: Happening): Promise<void> {
    const { about, type, reason, message } = happening;
    const { logger } = this.#options;
    const id = JSON.stringify([about.metadata.uid, type, reason, message]);
    try {
      const known = this.#known.get(id);
      if (known !== undefined && (await this.#countUp(happening, known))) return;
      const name = await this.#create(happening);
      remember(this.#known, id, { name, count: 1 });
    } catch (error) {
      logger.warn("an event could not be written", { object: about.metadata.name, reason, message, error });
    }
  }

  async #countUp({ about, at }: Happening, known: Known): Promise<boolean> {
    const patch = { count: ++known.count, lastTimestamp: timestamp(at) };
    try {
      await this.#options.client.patch({ ...EVENTS, namespace: namespaceOf(about), name: known.name }, "merge", patch);
      return true;
    } catch (error) {
      // Events live for an hour.
      if (error instanceof NotFound) return false;
      throw error;
    }
  }

  async #create({ about, type, reason, message, at }: Happening): Promise<string> {
    const { client, component, host = "" } = this.#options;
    const { apiVersion, kind, metadata } = about;
    const namespace = namespaceOf(about);
    const now = timestamp(at);
    // Upstream's names end in the time in nanoseconds; ours has a number in place of what a clock does not tell.
    const nanoseconds = BigInt(Math.trunc(at)) * 1_000_000n + BigInt(this.#serial++ % 1_000_000);
    const name = `${metadata.name ?? ""}.${nanoseconds.toString(16)}`;
    await client.create(
      { ...EVENTS, namespace },
      {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name, namespace },
        involvedObject: {
          apiVersion,
          kind,
          name: metadata.name,
          namespace: metadata.namespace,
          uid: metadata.uid,
          resourceVersion: metadata.resourceVersion,
        },
        type,
        reason,
        message,
        source: { component, ...(host === "" ? {} : { host }) },
        reportingComponent: component,
        reportingInstance: host,
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
      },
    );
    return name;
  }

  /** Waits until what was recorded is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
  }
}

/** Events of what has no namespace are in `default`. */
const namespaceOf = ({ metadata: { namespace = "" } }: KubeObject): string =>
  namespace === "" ? "default" : namespace;

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST && oldest !== undefined) map.delete(oldest);
}
