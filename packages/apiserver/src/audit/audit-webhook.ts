import { type Clock, errorMessage, type Logger, sleep } from "@boxship/base";
import type { RemoteServer } from "../authentication/read-kubeconfig.ts";
import { HttpsClient } from "../http/https-client.ts";

/** Events that are sent at a time, characters of them, and how long the first of them waits for others. */
const BATCH = { events: 400, size: 8 * 2 ** 20, wait: 1000 } as const;
/** Events that wait for a webhook that does not answer, and characters of them; the oldest go first. */
const MOST_WAITING = { events: 10_000, size: 64 * 2 ** 20 } as const;
const TIMEOUT_MS = 30_000;
const ATTEMPTS = 5;
const PAUSE_MS = 1000;
/** What all that waits has at the end: whoever stops the cluster does not wait for a server that says nothing. */
const LAST_MS = 5000;

/** Sends audit events to another server, in batches, in order. Nobody waits for it. */
export class AuditWebhook implements AsyncDisposable {
  readonly #server: RemoteServer;
  readonly #client: HttpsClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  readonly #late = new AbortController();
  /** JSON. */
  readonly #waiting: string[] = [];
  /** Characters of them. */
  #size = 0;
  #dropped = 0;
  #sending: Promise<void> | undefined;

  constructor(server: RemoteServer, clock: Clock, logger: Logger) {
    this.#server = server;
    this.#client = new HttpsClient(server.client);
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @param event as JSON */
  send(event: string): void {
    this.#waiting.push(event);
    this.#size += event.length;
    while (this.#waiting.length > MOST_WAITING.events || this.#size > MOST_WAITING.size) {
      this.#take();
      this.#dropped++;
    }
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  #take(): string {
    const event = this.#waiting.shift() ?? "";
    this.#size -= event.length;
    return event;
  }

  /** As many as are sent at a time; one at least. */
  #batch(): readonly string[] {
    const items = [this.#take()];
    let [size, next] = [items[0]?.length ?? 0, this.#waiting[0]];
    while (next !== undefined && items.length < BATCH.events && size + next.length <= BATCH.size) {
      size += next.length;
      items.push(this.#take());
      next = this.#waiting[0];
    }
    return items;
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#ending;
    while (this.#waiting.length > 0 || this.#dropped > 0) {
      if (this.#waiting.length < BATCH.events && this.#size < BATCH.size)
        await sleep(this.#clock, BATCH.wait, signal).catch(() => {});
      const items = this.#waiting.length === 0 ? [] : this.#batch();
      const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${items.join(",")}]}`;
      for (let attempt = 1; items.length > 0 && !(await this.#sendOnce(body)); attempt++) {
        if (attempt === ATTEMPTS || signal.aborted) {
          this.#dropped += items.length;
          break;
        }
        await sleep(this.#clock, PAUSE_MS * attempt, signal).catch(() => {});
      }
      if (this.#dropped === 0) continue;
      this.#logger.error(`${this.#dropped} audit events could not be sent`, { server: this.#server.url });
      this.#dropped = 0;
    }
  }

  async #sendOnce(body: string): Promise<boolean> {
    try {
      const { url } = this.#server;
      const headers = { "content-type": "application/json", ...this.#server.headers };
      const { status } = await this.#client.call(url, {
        body,
        headers,
        timeoutMs: TIMEOUT_MS,
        signal: this.#late.signal,
      });
      return status >= 200 && status < 300;
    } catch (error) {
      this.#logger.debug(`audit events are not taken: ${errorMessage(error)}`);
      return false;
    }
  }

  /** What waits is sent once more, as far as there is time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    using timer = this.#clock.setTimeout(LAST_MS, () => this.#late.abort());
    void timer;
    await this.#sending;
    this.#client[Symbol.dispose]();
  }
}
