import { textAt } from "@boxship/api";
import type { Clock } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { TokenSource } from "../volumes/projections.ts";

interface KnownToken {
  readonly uid: string;
  readonly token: string;
  /** When it is handed out: milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

/** Part of a token's time after which there is a new one. */
const USED_UP = 0.8;

/** Tokens of the service accounts of pods: each is handed out until it nears its end. */
export class PodTokens {
  readonly #client: Pick<ApiClient, "postRaw">;
  readonly #clock: Clock;
  readonly #known = new Map<string, KnownToken>();

  constructor(client: Pick<ApiClient, "postRaw">, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  readonly get: TokenSource = async (pod, { audience, seconds }) => {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? "default";
    const key = JSON.stringify([uid, audience, seconds]);
    const known = this.#known.get(key);
    const from = this.#clock.now();
    // One of a time that is still to come, since the clock was set back, nobody would take.
    if (known !== undefined && known.from <= from && from < known.until) return known.token;
    const answer = await this.#client.postRaw(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds: seconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    });
    const token = textAt(answer, "status", "token");
    const left = Date.parse(textAt(answer, "status", "expirationTimestamp")) - from;
    this.#known.set(key, { uid, token, from, until: from + left * USED_UP });
    return token;
  };

  /** A pod is gone. */
  forget(uid: string): void {
    for (const [key, known] of this.#known) if (known.uid === uid) this.#known.delete(key);
  }
}
