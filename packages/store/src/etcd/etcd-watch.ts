import { setTimeout as delay } from "node:timers/promises";
import { type Clock, type Timer, Unavailable } from "@boxship/base";
import type { ClientCall, GrpcClient, ValueOf } from "@boxship/grpc";
import { Compacted } from "../compacted.ts";
import type { KeyRange, Watch, WatchBatch, WatchEvent, WatchOptions } from "../contract.ts";
import { type EtcdConnection, isLost } from "./connection.ts";
import { rangeFields, rangeRequest, watchEvent } from "./convert.ts";
import { refusedAsCompacted } from "./errors.ts";
import { methods, type WatchRequest, type WatchResponse } from "./messages.ts";

type Call = ClientCall<ValueOf<typeof WatchRequest>, ValueOf<typeof WatchResponse>>;

/** A watch that is established at a member. */
interface Stream extends Disposable {
  readonly client: GrpcClient;
  readonly call: Call;
  readonly responses: AsyncIterator<ValueOf<typeof WatchResponse>>;
}

/** etcd ends watches of a member that has lost its leader, so that they move to one that has not. */
const REQUIRE_LEADER = { hasleader: ["true"] };
const RETRY_PAUSE = 200;

/**
 * One watch, on a stream of its own: what the consumer does not take waits at etcd. When the stream breaks, another one
 * goes on from the first revision that was not told.
 */
export class EtcdWatch implements Watch {
  readonly ready: Promise<void>;
  readonly #connection: EtcdConnection;
  readonly #clock: Clock;
  readonly #range: KeyRange;
  readonly #previous: boolean;
  readonly #progress: number;
  /** The first revision that is not told yet; 0 until etcd has said where "now" is. */
  #next: number;
  #stream: Stream | undefined;
  #done = false;
  #failure: unknown;
  readonly #abort = new AbortController();

  readonly #onEnd: () => void;

  constructor(connection: EtcdConnection, clock: Clock, range: KeyRange, options: WatchOptions, onEnd: () => void) {
    this.#connection = connection;
    this.#onEnd = onEnd;
    this.#clock = clock;
    this.#range = range;
    this.#next = options.from ?? 0;
    this.#previous = options.previous ?? false;
    this.#progress = options.progress ?? 0;
    this.ready = this.#begin();
    // Whoever only loops hears of a failure there.
    this.ready.catch(() => {});
  }

  async #begin(): Promise<void> {
    try {
      this.#stream = await this.#open();
      // etcd begins before it looks whether it can.
      if (this.#next > 0) await this.#requireKept();
    } catch (error) {
      if (this.#done) return;
      this.#failure = error;
      throw error;
    }
  }

  async #requireKept(): Promise<void> {
    try {
      await this.#connection.read(
        methods.range,
        rangeRequest({ start: "\0" }, { revision: this.#next, countOnly: true }),
      );
    } catch (error) {
      if (!refusedAsCompacted(error)) return;
      // Why is said by the stream, with the revision.
      for (;;) {
        const { value, done } = (await this.#stream?.responses.next()) ?? { done: true, value: undefined };
        if (done === true) throw error;
        this.#check(value);
      }
    }
  }

  /** Opens a stream, and waits until everything from {@link #next} on is sure to be told by it. */
  async #open(): Promise<Stream> {
    const client = await this.#connection.client();
    const call: Call = client.call(methods.watch, { metadata: REQUIRE_LEADER, signal: this.#abort.signal });
    const responses = call.responses[Symbol.asyncIterator]();
    const stream: Stream = { client, call, responses, [Symbol.dispose]: () => call[Symbol.dispose]() };
    try {
      const create = { ...rangeFields(this.#range), startRevision: this.#next, previous: this.#previous };
      await call.send({ create });
      const { value, done } = await responses.next();
      if (done === true || !value.created) throw new Unavailable("etcd does not begin the watch");
      this.#check(value);
      if (this.#next === 0) this.#next = (value.header?.revision ?? 0) + 1;
      return stream;
    } catch (error) {
      stream[Symbol.dispose]();
      if (isLost(error)) await this.#connection.leave(client);
      throw error;
    }
  }

  /** @throws Compacted, Unavailable */
  #check({ canceled, compactRevision, cancelReason }: ValueOf<typeof WatchResponse>): void {
    if (compactRevision > 0) throw new Compacted(this.#next, compactRevision);
    if (canceled) throw new Unavailable(`etcd ended the watch: ${cancelReason}`);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchBatch, void> {
    try {
      await this.ready;
      for (;;) {
        let batches: readonly WatchBatch[];
        try {
          batches = await this.#more();
        } catch (error) {
          if (this.#done) return;
          if (!isLost(error)) throw error;
          await this.#reopen();
          continue;
        }
        for (const batch of batches) {
          this.#next = batch.revision + 1;
          yield batch;
        }
      }
    } catch (error) {
      if (!this.#done) throw this.#failure ?? error;
    } finally {
      this.#end();
    }
  }

  async #more(): Promise<readonly WatchBatch[]> {
    const stream = this.#stream;
    if (stream === undefined) throw new Unavailable("the watch has no stream");
    using _quiet = this.#askWhenQuiet(stream.call);
    const { value, done } = await stream.responses.next();
    if (done === true) throw new Unavailable("etcd ended the watch");
    this.#check(value);
    const told = inRevisions(value.events.map(watchEvent));
    const revision = value.header?.revision ?? 0;
    return value.events.length === 0 && revision >= this.#next ? [{ revision, events: [] }] : told;
  }

  /** etcd's own progress notices come every ten minutes; it gives one when it is asked. */
  #askWhenQuiet(call: Call): Timer | undefined {
    if (this.#progress === 0) return undefined;
    return this.#clock.setTimeout(this.#progress, () => void call.send({ progress: {} }).catch(() => {}));
  }

  /** Until a member takes the watch over; a cluster without a majority is waited for. */
  async #reopen(): Promise<void> {
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
    while (!this.#done) {
      try {
        this.#stream = await this.#open();
        return;
      } catch (error) {
        if (!isLost(error)) throw error;
      }
      await delay(RETRY_PAUSE, undefined, { signal: this.#abort.signal }).catch(() => {});
    }
  }

  #end(): void {
    this.#done = true;
    this.#onEnd();
    this.#stream?.[Symbol.dispose]();
    this.#abort.abort(new DOMException("the watch has ended", "AbortError"));
  }

  /** Ends the loop with an error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#stream?.[Symbol.dispose]();
    this.#abort.abort(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }
}

/** etcd sends whole revisions, sometimes several at once. */
function inRevisions(events: readonly WatchEvent[]): readonly WatchBatch[] {
  const batches: { revision: number; events: WatchEvent[] }[] = [];
  for (const event of events) {
    const revision = event.kind === "put" ? event.item.modRevision : event.modRevision;
    const last = batches.at(-1);
    if (last?.revision === revision) last.events.push(event);
    else batches.push({ revision, events: [event] });
  }
  return batches;
}
