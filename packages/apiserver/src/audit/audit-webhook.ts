import type { JsonObject } from "@boxship/api";
import { type Clock, errorMessage, type Logger, sleep } from "@boxship/base";
import type { RemoteServer } from "../authentication/read-kubeconfig.ts";
import { HttpsClient } from "../http/https-client.ts";

/** Events that are sent at a time, and how long the first of them waits for others. */
const BATCH = { events: 400, wait: 1000 } as const;
/** Events that wait for a webhook that does not answer; the oldest go first. */
const MOST_WAITING = 10_000;
const TIMEOUT_MS = 30_000;
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

/** Sends audit events to another server, in batches, in order. Nobody waits for it. */
export class AuditWebhook implements AsyncDisposable {
  readonly #server: RemoteServer;
  readonly #client: HttpsClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  #waiting: JsonObject[] = [];
  #dropped = 0;
  #sending: Promise<void> | undefined;

  constructor(server: RemoteServer, clock: Clock, logger: Logger) {
    this.#server = server;
    this.#client = new HttpsClient(server.client);
    this.#clock = clock;
    this.#logger = logger;
  }

  send(event: JsonObject): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#waiting.shift();
      this.#dropped++;
    }
    this.#waiting.push(event);
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#ending;
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < BATCH.events) await sleep(this.#clock, BATCH.wait, signal).catch(() => {});
      const items = this.#waiting.splice(0, BATCH.events);
      const body = JSON.stringify({ kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items });
      for (let attempt = 1; !(await this.#sendOnce(body)); attempt++) {
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
      const { status } = await this.#client.call(url, { body, headers, timeoutMs: TIMEOUT_MS });
      return status >= 200 && status < 300;
    } catch (error) {
      this.#logger.debug(`audit events are not taken: ${errorMessage(error)}`);
      return false;
    }
  }

  /** What waits is sent once more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#sending;
    this.#client[Symbol.dispose]();
  }
}
