import { isObject, type JsonObject, textAt, valueAt } from "@boxship/api";
import { asBoxshipError, type Clock, type Logger, Unavailable } from "@boxship/base";
import type { RemoteServer } from "../authentication/read-kubeconfig.ts";
import type { Attributes, Authorizer, Decision } from "../contract.ts";
import { HttpsClient } from "../http/https-client.ts";

const TIMEOUT_MS = 10_000;
/** How long answers hold, as upstream has it. */
const ALLOWED_MS = 300_000;
const REFUSED_MS = 30_000;
const MOST_KEPT = 8192;
/** Longer questions are asked anew each time. */
const LONGEST_QUESTION = 10_000;

interface Kept {
  readonly until: number;
  readonly decision: Decision;
}

/** Another server is asked, by SubjectAccessReviews. One that cannot be asked has no opinion. */
export class WebhookAuthorizer implements Authorizer, Disposable {
  readonly #server: RemoteServer;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #client: HttpsClient;
  readonly #kept = new Map<string, Kept>();
  /** The same is asked once at a time. */
  readonly #asking = new Map<string, Promise<Decision>>();

  constructor(server: RemoteServer, clock: Clock, logger: Logger) {
    this.#server = server;
    this.#clock = clock;
    this.#logger = logger;
    this.#client = new HttpsClient(server.client);
  }

  authorize(attributes: Attributes): Decision | Promise<Decision> {
    const key = JSON.stringify(specOf(attributes));
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#clock.monotonic()) return kept.decision;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#decide(key).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #decide(key: string): Promise<Decision> {
    let decision: Decision;
    try {
      decision = await this.#ask(key);
    } catch (error) {
      this.#logger.warn("the webhook that authorizes cannot be asked", { error: asBoxshipError(error).message });
      return { verdict: "no-opinion" };
    }
    if (key.length > LONGEST_QUESTION) return decision;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    const time = decision.verdict === "allow" ? ALLOWED_MS : REFUSED_MS;
    this.#kept.set(key, { until: this.#clock.monotonic() + time, decision });
    return decision;
  }

  async #ask(spec: string): Promise<Decision> {
    const { url, headers } = this.#server;
    const { status, text } = await this.#client.call(url, {
      body: `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"creationTimestamp":null},"spec":${spec},"status":{"allowed":false}}`,
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      timeoutMs: TIMEOUT_MS,
    });
    if (status < 200 || status > 299) throw new Unavailable(`it answers with ${status}`);
    const review: unknown = JSON.parse(text);
    const answer = isObject(review) ? valueAt(review, "status") : undefined;
    if (!isObject(answer)) throw new Unavailable("its answer has no status");
    const [allowed, denied] = [answer["allowed"] === true, answer["denied"] === true];
    if (allowed && denied) throw new Unavailable("its answer both allows and denies");
    const reason = textAt(answer, "reason");
    return { verdict: allowed ? "allow" : denied ? "deny" : "no-opinion", reason };
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** `spec` of the review. */
function specOf({ user, verb, path, resource }: Attributes): JsonObject {
  const about = {
    user: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: [...user.groups],
    ...(user.extra === undefined ? {} : { extra: user.extra as unknown as JsonObject }),
  };
  if (resource === undefined) return { nonResourceAttributes: { path, verb }, ...about };
  // What is behind a proxy is not told.
  const named = Object.entries(resource).filter(([field, value]) => value !== "" && field !== "path");
  return { resourceAttributes: { verb, ...Object.fromEntries<string>(named) }, ...about };
}
