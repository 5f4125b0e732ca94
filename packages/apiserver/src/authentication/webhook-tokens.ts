import { createHash } from "node:crypto";
import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Clock } from "@boxship/base";
import { AUTHENTICATED } from "../access/authenticate.ts";
import { HttpsClient } from "../http/https-client.ts";
import { type Identified, type TokenAuthenticator, unauthorized } from "../tokens/token-authenticator.ts";
import type { RemoteServer } from "./read-kubeconfig.ts";

const TIMEOUT_MS = 30_000;
/** How long an answer holds. */
const KEPT_MS = 120_000;
const MOST_KEPT = 1000;

interface Kept {
  readonly until: number;
  readonly identified: Identified | undefined;
}

/** Tokens that another server is asked about, by TokenReviews. */
export class WebhookTokens implements TokenAuthenticator, Disposable {
  readonly #server: RemoteServer;
  readonly #clock: Clock;
  readonly #client: HttpsClient;
  /** By a digest: tokens themselves are not kept. */
  readonly #kept = new Map<string, Kept>();
  /** What is being asked: many requests come with one token at once. */
  readonly #asking = new Map<string, Promise<Identified | undefined>>();

  constructor(server: RemoteServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
    this.#client = new HttpsClient(server.client);
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const key = createHash("sha256")
      .update(JSON.stringify([token, audiences]))
      .digest("base64");
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#clock.monotonic()) return kept.identified;
    const asking = this.#asking.get(key) ?? this.#remember(key, this.#ask(token, audiences));
    this.#asking.set(key, asking);
    return await asking;
  }

  async #remember(key: string, asking: Promise<Identified | undefined>): Promise<Identified | undefined> {
    try {
      const identified = await asking;
      if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
      this.#kept.set(key, { until: this.#clock.monotonic() + KEPT_MS, identified });
      return identified;
    } finally {
      this.#asking.delete(key);
    }
  }

  async #ask(token: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const body = JSON.stringify({
      kind: "TokenReview",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { creationTimestamp: null },
      spec: { token, audiences },
    });
    let review: unknown;
    try {
      const { url, headers } = this.#server;
      const answer = await this.#client.call(url, {
        body,
        headers: { "content-type": "application/json", accept: "application/json", ...headers },
        timeoutMs: TIMEOUT_MS,
      });
      if (answer.status < 200 || answer.status > 299) throw unauthorized(`it answers with ${answer.status}`);
      review = JSON.parse(answer.text);
    } catch {
      throw unauthorized("the webhook that knows tokens cannot be asked");
    }
    return isObject(review) ? identifiedBy(review, audiences) : undefined;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

function identifiedBy(review: JsonObject, audiences: readonly string[]): Identified | undefined {
  if (valueAt(review, "status", "authenticated") !== true) return undefined;
  const user = valueAt(review, "status", "user");
  const name = textAt(user, "username");
  if (name === "") return undefined;
  // A webhook that knows nothing of audiences answers for all of them.
  const told = valueAt(review, "status", "audiences") === undefined ? audiences : listAt(review, "status", "audiences");
  const common = audiences.filter((one) => told.includes(one));
  if (common.length === 0) return undefined;
  const uid = textAt(user, "uid");
  return {
    user: {
      name,
      groups: [...new Set([...listAt(user, "groups").map(String), AUTHENTICATED])],
      ...(uid === "" ? {} : { uid }),
      extra: extraOf(valueAt(user, "extra")),
    },
    audiences: common,
  };
}

function extraOf(extra: Json | undefined): Record<string, string[]> {
  const found = isObject(extra) ? extra : {};
  return Object.fromEntries(Object.keys(found).map((key) => [key, listAt(found, key).map(String)]));
}
