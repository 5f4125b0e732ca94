import { isObject, type JsonObject, textAt, valueAt } from "@boxship/api";
import { asBoxshipError, type Clock, type Logger, Unavailable } from "@boxship/base";
import type { RemoteServer } from "../authentication/read-kubeconfig.ts";
import type { Attributes, Authorizer, Decision } from "../contract.ts";
import { HttpsClient } from "../http/https-client.ts";
import type { AuthorizationWebhook } from "./authorization-file.ts";
import { conditionsMatch } from "./match-review.ts";

/** As upstream has it where a kubeconfig alone is given. */
export const USUAL_WEBHOOK: WebhookSettings = {
  timeoutMs: 10_000,
  authorizedMs: 300_000,
  unauthorizedMs: 30_000,
  reviewVersion: "v1",
  onFailure: "no-opinion",
  conditions: [],
};
const MOST_KEPT = 8192;
/** Longer questions are asked anew each time. */
const LONGEST_QUESTION = 10_000;

export type WebhookSettings = Omit<AuthorizationWebhook, "kubeconfig">;

interface Kept {
  readonly until: number;
  readonly decision: Decision;
}

/** Another server is asked, by SubjectAccessReviews. */
export class WebhookAuthorizer implements Authorizer, Disposable {
  readonly #server: RemoteServer;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #client: HttpsClient;
  readonly #settings: WebhookSettings;
  readonly #kept = new Map<string, Kept>();
  /** The same is asked once at a time. */
  readonly #asking = new Map<string, Promise<Decision>>();

  constructor(server: RemoteServer, clock: Clock, logger: Logger, settings = USUAL_WEBHOOK) {
    this.#server = server;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#client = new HttpsClient(server.client);
  }

  authorize(attributes: Attributes): Decision | Promise<Decision> {
    const spec = specOf(attributes);
    return this.#settings.conditions.length === 0 ? this.#knownOrAsked(spec) : this.#underConditions(spec);
  }

  async #underConditions(spec: JsonObject): Promise<Decision> {
    try {
      if (!(await conditionsMatch(this.#settings.conditions, asSeen(spec)))) return { verdict: "no-opinion" };
    } catch (error) {
      return this.#failed("a condition of the webhook that authorizes cannot be evaluated", error);
    }
    return await this.#knownOrAsked(spec);
  }

  #knownOrAsked(spec: JsonObject): Decision | Promise<Decision> {
    const key = JSON.stringify(spec);
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
      return this.#failed("the webhook that authorizes cannot be asked", error);
    }
    if (key.length > LONGEST_QUESTION) return decision;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    const { authorizedMs, unauthorizedMs } = this.#settings;
    const time = decision.verdict === "allow" ? authorizedMs : unauthorizedMs;
    if (time === 0) return decision;
    this.#kept.set(key, { until: this.#clock.monotonic() + time, decision });
    return decision;
  }

  #failed(what: string, error: unknown): Decision {
    this.#logger.warn(what, { error: asBoxshipError(error).message });
    return { verdict: this.#settings.onFailure, reason: this.#settings.onFailure === "deny" ? what : "" };
  }

  async #ask(spec: string): Promise<Decision> {
    const { url, headers } = this.#server;
    const { reviewVersion, timeoutMs } = this.#settings;
    // The older version has another name for groups.
    const sent = reviewVersion === "v1" ? spec : renamed(spec);
    const { status, text } = await this.#client.call(url, {
      body: `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/${reviewVersion}","metadata":{"creationTimestamp":null},"spec":${sent},"status":{"allowed":false}}`,
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      timeoutMs,
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

function renamed(spec: string): string {
  const { groups, ...others } = JSON.parse(spec) as JsonObject;
  return JSON.stringify({ ...others, group: groups ?? [] });
}

/** As conditions see it: of what is asked about all fields are there. */
function asSeen({ resourceAttributes, ...spec }: JsonObject): JsonObject {
  const seen = { user: "", groups: [], uid: "", extra: {}, ...spec };
  return isObject(resourceAttributes)
    ? { ...seen, resourceAttributes: { ...NO_ATTRIBUTES, ...resourceAttributes } }
    : seen;
}

const NO_ATTRIBUTES = { namespace: "", verb: "", group: "", version: "", resource: "", subresource: "", name: "" };
