import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Clock, errorMessage, type Logger, sleep } from "@boxship/base";
import { type Operation, prefixRange, type Store } from "@boxship/store";
import { anyOf, repositoryPattern } from "../access/patterns.ts";
import { eachKey } from "../store/index-walk.ts";
import { decodeRecord, encodeRecord } from "../store/records.ts";
import { EVENTS_MEDIA_TYPE, type EventAction, type RegistryEvent, wireEvent } from "./envelope.ts";

/** Whom to tell of what is done. */
export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  /** Signs what is sent: `X-Boxship-Signature-256: sha256=` and the HMAC of the body in hexadecimal. */
  readonly secret?: string;
  /** @default push, mount and delete */
  readonly events?: readonly EventAction[];
  /** Patterns of repositories. @default all */
  readonly repositories?: readonly string[];
  /** Further headers, such as `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds after which an event that nobody takes is given up. @default one day */
  readonly giveUpAfter?: number;
}

export interface WebhooksParts {
  readonly webhooks: readonly WebhookOptions[];
  readonly index: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

const USUAL: readonly EventAction[] = ["push", "mount", "delete"];
const DAY = 24 * 60 * 60 * 1000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5 * 60 * 1000;
const TIMEOUT = 10_000;

interface Waiting {
  readonly since: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/**
 * Tells others of what was done: Docker's notification envelopes, one event each, in their order, until one is answered
 * with success. Pushes, mounts and deletions are written down before they are acknowledged, and what is removed without a
 * client's asking together with its removal, so that none is lost; one may be told twice.
 */
export class Webhooks implements AsyncDisposable {
  readonly #parts: WebhooksParts;
  readonly #hooks: readonly Hook[];
  readonly #stop = new AbortController();
  #sequence = 0;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
    this.#hooks = parts.webhooks.map((options) => new Hook(options, parts, this.#stop.signal));
  }

  /** Whether anybody wants to hear of it. */
  wants(action: EventAction, repository: string): boolean {
    return this.#hooks.some((hook) => hook.wants(action, repository));
  }

  /** Resolves when it is sure to be told. */
  async tell(event: RegistryEvent, request: IncomingMessage): Promise<void> {
    const success = this.operations(event, request);
    if (success.length === 0) return;
    await this.#parts.index.transact({ success });
    this.wake();
  }

  /**
   * What writes an event down, for the transaction that does what it tells of; {@link wake} is to follow.
   *
   * @param request undefined: nobody asked for it
   */
  operations(event: RegistryEvent, request?: IncomingMessage): readonly Operation[] {
    const hooks = this.#hooks.filter((hook) => hook.wants(event.action, event.repository));
    if (hooks.length === 0) return [];
    const now = this.#parts.clock.now();
    const waiting: Waiting = { since: now, event: wireEvent(event, request, now) };
    const order = `${String(now).padStart(15, "0")}-${String(this.#sequence++).padStart(9, "0")}`;
    const value = encodeRecord(waiting);
    return hooks.map(({ prefix }) => ({ kind: "put", key: prefix + order, value }) as const);
  }

  /** Sends what was written down. */
  wake(): void {
    for (const hook of this.#hooks) hook.wake();
  }

  /** Events that wait, by the webhook's name. */
  async waiting(): Promise<ReadonlyMap<string, number>> {
    const { index } = this.#parts;
    const counts = this.#hooks.map(async ({ options, prefix }) => {
      return [options.name, (await index.range(prefixRange(prefix), { countOnly: true })).count] as const;
    });
    return new Map(await Promise.all(counts));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#hooks.map((hook) => hook.ended));
  }
}

class Hook {
  readonly options: WebhookOptions;
  readonly prefix: string;
  /** Settles when nothing more is sent. */
  readonly ended: Promise<void>;
  readonly #parts: WebhooksParts;
  readonly #stop: AbortSignal;
  readonly #repository: (name: string) => boolean;
  #wake = Promise.withResolvers<void>();

  constructor(options: WebhookOptions, parts: WebhooksParts, stop: AbortSignal) {
    this.options = options;
    this.prefix = `event/${encodeURIComponent(options.name)}/`;
    this.#parts = parts;
    this.#stop = stop;
    this.#repository = anyOf((options.repositories ?? ["**"]).map(repositoryPattern));
    stop.addEventListener("abort", () => this.wake(), { once: true });
    this.ended = this.#run();
  }

  wants(action: EventAction, repository: string): boolean {
    return (this.options.events ?? USUAL).includes(action) && this.#repository(repository);
  }

  wake(): void {
    this.#wake.resolve();
  }

  async #run(): Promise<void> {
    const { logger } = this.#parts;
    while (!this.#stop.aborted) {
      this.#wake = Promise.withResolvers();
      try {
        for await (const { key } of eachKey(this.#parts.index, this.prefix)) {
          await this.#deliver(key);
          if (this.#stop.aborted) return;
        }
        await this.#wake.promise;
      } catch (error) {
        if (this.#stop.aborted) return;
        logger.error(`webhook ${this.options.name} cannot read its events: ${errorMessage(error)}`);
        await this.#pause(LONGEST_PAUSE);
      }
    }
  }

  /** Until it is taken, too old, or everything ends. */
  async #deliver(key: string): Promise<void> {
    const { index, clock, logger } = this.#parts;
    const { giveUpAfter = DAY, name } = this.options;
    const [item] = (await index.range({ start: key })).items;
    if (item === undefined) return;
    const { since, event } = decodeRecord(item) as Waiting;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
      const problem = await this.#send(JSON.stringify({ events: [event] }));
      if (this.#stop.aborted) return;
      if (problem === undefined) break;
      if (clock.now() - since > giveUpAfter) {
        logger.error(`webhook ${name} does not take an event, which is given up: ${problem}`, { event });
        break;
      }
      if (pause === FIRST_PAUSE) logger.warn(`webhook ${name} does not take an event: ${problem}`);
      await this.#pause(pause);
      if (this.#stop.aborted) return;
    }
    await index.transact({ success: [{ kind: "delete", range: { start: key } }] });
  }

  /** @returns why it failed; undefined: it was taken */
  async #send(body: string): Promise<string | undefined> {
    const { url, secret, headers } = this.options;
    const signature = secret === undefined ? undefined : createHmac("sha256", secret).update(body).digest("hex");
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        redirect: "error",
        headers: {
          ...headers,
          "content-type": EVENTS_MEDIA_TYPE,
          ...(signature !== undefined && { "x-boxship-signature-256": `sha256=${signature}` }),
        },
        signal: AbortSignal.any([this.#stop, AbortSignal.timeout(TIMEOUT)]),
      });
      await response.body?.cancel();
      return response.ok ? undefined : `it answers ${response.status}`;
    } catch (error) {
      return errorMessage(error instanceof Error && error.cause !== undefined ? error.cause : error);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(this.#parts.clock, milliseconds, this.#stop).catch(() => {});
  }
}
