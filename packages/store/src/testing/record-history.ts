import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { KeyRange, KeyValue, Operation, Transaction, WatchBatch, WatchEvent } from "../contract.ts";
import { prefixRange } from "../key-range.ts";
import type { HistoryStore } from "./killable-store.ts";

/** A transaction that was sent. Whether it was made is unknown where nothing acknowledged it. */
export interface SentWrite {
  /** A value of its own, which it puts besides whatever else it does. */
  readonly mark: string;
  readonly transaction: Transaction;
  /** The newest revision that anybody had been acknowledged when it was sent. */
  readonly after: number;
  acknowledged?: { readonly revision: number; readonly succeeded: boolean };
}

export interface AnsweredRead {
  readonly range: KeyRange;
  readonly after: number;
  readonly revision: number;
  readonly items: readonly KeyValue[];
}

export interface Watched {
  /** The first revision that it asked for. */
  readonly from: number;
  readonly events: { readonly revision: number; readonly event: WatchEvent }[];
}

export interface History {
  readonly writes: readonly SentWrite[];
  readonly reads: readonly AnsweredRead[];
  readonly watches: readonly Watched[];
}

const KEYS = 12;
const CLIENTS = 8;
const WATCHES = 3;
const PAUSE_MS = 20;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pick = (count: number): number => Math.floor(Math.random() * count);
const keyName = (): string => `/keys/${pick(KEYS)}`;

/** Many clients that do what comes to their minds, and watches that go on where they were cut off. */
export class HistoryRecorder {
  readonly #store: HistoryStore;
  readonly #stopped = new AbortController();
  readonly #clients: Promise<void>[] = [];
  readonly #watches: Promise<void>[] = [];
  readonly #writes: SentWrite[] = [];
  readonly #reads: AnsweredRead[] = [];
  readonly #watched: Watched[] = [];
  #newest = 0;

  constructor(store: HistoryStore) {
    this.#store = store;
    for (let client = 0; client < CLIENTS; client++) this.#clients.push(this.#client());
    for (let watch = 0; watch < WATCHES; watch++) this.#watches.push(this.#watch(2));
  }

  get acknowledged(): number {
    return this.#writes.filter(({ acknowledged }) => acknowledged !== undefined).length;
  }

  /** Waits until so many more writes are acknowledged. */
  async progress(more: number): Promise<void> {
    const wanted = this.acknowledged + more;
    while (this.acknowledged < wanted) await delay(5);
  }

  async #client(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (Math.random() < 0.25) await this.#read();
        else await this.#write();
      } catch (error) {
        if (!isLost(error)) throw error;
        await delay(PAUSE_MS);
      }
    }
  }

  async #write(): Promise<void> {
    const mark = randomUUID();
    const sent: SentWrite = { mark, transaction: await this.#transaction(mark), after: this.#newest };
    this.#writes.push(sent);
    const { revision, succeeded } = await this.#store.transact(sent.transaction);
    sent.acknowledged = { revision, succeeded };
    this.#newest = Math.max(this.#newest, revision);
  }

  /** A put, a deletion, several of them, or one of them under a condition. */
  async #transaction(mark: string): Promise<Transaction> {
    const own: Operation = { kind: "put", key: `/marks/${mark}`, value: bytes(mark) };
    const keys = [...new Set(Array.from({ length: 1 + pick(3) }, keyName))];
    const changes = keys.map((key): Operation => {
      if (Math.random() < 0.2) return { kind: "delete", range: { start: key } };
      return { kind: "put", key, value: bytes(`${mark} ${key}`) };
    });
    if (Math.random() < 0.5) return { success: [own, ...changes] };
    const key = keyName();
    const { items } = await this.#store.range({ start: key });
    return {
      compare: [{ key, target: "modRevision", value: items[0]?.modRevision ?? 0 }],
      success: [own, ...changes],
    };
  }

  async #read(): Promise<void> {
    const after = this.#newest;
    const range: KeyRange = Math.random() < 0.5 ? { start: keyName() } : prefixRange("/keys/");
    const { items, revision } = await this.#store.range(range);
    this.#reads.push({ range, after, revision, items });
    this.#newest = Math.max(this.#newest, revision);
  }

  async #watch(from: number): Promise<void> {
    const watched: Watched = { from, events: [] };
    this.#watched.push(watched);
    let next = from;
    while (!this.#stopped.signal.aborted) {
      try {
        for await (const batch of this.#store.watchFrom(next)) {
          next = this.#take(watched, batch);
          if (this.#stopped.signal.aborted) return;
        }
      } catch (error) {
        if (!isLost(error)) throw error;
      }
      await delay(PAUSE_MS);
    }
  }

  #take({ events }: Watched, { revision, events: told }: WatchBatch): number {
    for (const event of told) events.push({ revision, event });
    return revision + 1;
  }

  /** Ends what the clients do; the store is up. */
  async stop(): Promise<History> {
    this.#stopped.abort();
    await Promise.all(this.#clients);
    // One more change wakes the watches up.
    await this.#store.transact({ success: [{ kind: "put", key: "/end", value: bytes("end") }] });
    await Promise.all(this.#watches);
    return { writes: this.#writes, reads: this.#reads, watches: this.#watched };
  }
}

function isLost(error: unknown): boolean {
  const { name } = error as Error;
  return name === "Unavailable" || name === "DeadlineExceeded";
}
