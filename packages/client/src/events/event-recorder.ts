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
  /** Events that wait to be written; of more, the oldest are dropped. @default 1000, as many as upstream's */
  readonly mostWaiting?: number;
}

export type EventType = "Normal" | "Warning";

interface Happening {
  readonly about: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  at: number;
  /** How often it happened while it waited. */
  times: number;
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
const MOST_WAITING = 1000;

/**
 * Tells what happened to objects, as Events. The same one again counts the first one up, and an object of which too much
 * is told is told of less often. Telling never fails: what cannot be written is logged, and so is that more was told than could
 * be written.
 */
export class EventRecorder implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  /** By what is told, in the order in which it was told first. */
  readonly #waiting = new Map<string, Happening>();
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** @param fieldPath the part of the object that it is about, `spec.containers{web}` */
  record(about: KubeObject, type: EventType, reason: string, message: string, fieldPath?: string): void {
    if (!this.#mayTell(about)) return;
    const at = this.#clock.now();
    const id = JSON.stringify([about.metadata.uid, type, reason, message, fieldPath]);
    const waits = this.#waiting.get(id);
    if (waits !== undefined) {
      waits.times++;
      waits.at = at;
      return;
    }
    this.#waiting.set(id, { about, type, reason, message, fieldPath, since: at, at, times: 1 });
    const { mostWaiting = MOST_WAITING } = this.#options;
    const [oldest] = this.#waiting.keys();
    // Of a flood the end is what people look at: the objects of its beginning may be gone.
    if (this.#waiting.size > mostWaiting && oldest !== undefined && this.#waiting.delete(oldest)) this.#dropped++;
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const [id, happening] = next;
      this.#waiting.delete(id);
      await this.#write(id, happening);
    }
    this.#writing = undefined;
    if (this.#dropped === 0) return;
    this.#options.logger.warn("events were dropped: there were too many at once", { events: this.#dropped });
    this.#dropped = 0;
  }

  #mayTell({ metadata: { uid = "" } }: KubeObject): boolean {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    remember(this.#buckets, uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }

  async #write(id: string, happening: Happening): Promise<void> {
    const { about, reason, message, times } = happening;
    const { logger } = this.#options;
    try {
      const known = this.#known.get(id);
      if (known !== undefined && (await this.#countUp(happening, known))) return;
      const name = await this.#create(happening);
      remember(this.#known, id, { name, count: times });
    } catch (error) {
      logger.warn("an event could not be written", { object: about.metadata.name, reason, message, error });
    }
  }

  async #countUp({ about, at, times }: Happening, known: Known): Promise<boolean> {
    const patch = { count: (known.count += times), lastTimestamp: timestamp(at) };
    try {
      await this.#options.client.patch({ ...EVENTS, namespace: namespaceOf(about), name: known.name }, "merge", patch);
      return true;
    } catch (error) {
      // Events live for an hour.
      if (error instanceof NotFound) return false;
      throw error;
    }
  }

  async #create({ about, type, reason, message, fieldPath, since, at, times }: Happening): Promise<string> {
    const { client, component, host = "" } = this.#options;
    const { apiVersion, kind, metadata } = about;
    const namespace = namespaceOf(about);
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
          ...(fieldPath === undefined ? {} : { fieldPath }),
        },
        type,
        reason,
        message,
        source: { component, ...(host === "" ? {} : { host }) },
        reportingComponent: component,
        reportingInstance: host,
        firstTimestamp: timestamp(since),
        lastTimestamp: timestamp(at),
        count: times,
      },
    );
    return name;
  }

  /** Waits until what was recorded is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
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
