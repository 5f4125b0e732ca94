import { timingSafeEqual } from "node:crypto";
import { type KubeObject, textAt } from "@boxship/api";
import { AUTHENTICATED } from "../access/authenticate.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { type Identified, type TokenAuthenticator, unauthorized } from "./token-authenticator.ts";

const FORM = /^(?<id>[a-z0-9]{6})\.(?<secret>[a-z0-9]{16})$/;
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const GROUP = "system:bootstrappers";

/** Tokens by which nodes join: secrets `bootstrap-token-ID` of kube-system. */
export class BootstrapTokens implements TokenAuthenticator {
  readonly #context: () => ServerContext;
  readonly #audiences: readonly string[];

  /** @param audiences what such a token is for: the server's own */
  constructor(context: () => ServerContext, audiences: readonly string[]) {
    this.#context = context;
    this.#audiences = audiences;
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const { id = "", secret = "" } = FORM.exec(token)?.groups ?? {};
    if (id === "") return undefined;
    const context = this.#context();
    const name = `bootstrap-token-${id}`;
    const kept = await readObject(context, "", "secrets", { name, namespace: "kube-system" });
    if (kept === undefined || textAt(kept, "type") !== "bootstrap.kubernetes.io/token") return undefined;
    const common = audiences.filter((one) => this.#audiences.includes(one));
    if (common.length === 0 || !isValid(kept, id, secret, context.clock.now()))
      throw unauthorized("invalid bootstrap token");
    const more = dataOf(kept, "auth-extra-groups")
      .split(",")
      .filter((group) => group !== "");
    if (!more.every((group) => EXTRA_GROUP.test(group))) throw unauthorized("invalid bootstrap token");
    const groups = [...new Set([GROUP, ...more]), AUTHENTICATED];
    return { user: { name: `system:bootstrap:${id}`, groups }, audiences: common };
  }
}

function isValid(kept: KubeObject, id: string, secret: string, now: number): boolean {
  const [given, known] = [Buffer.from(secret), Buffer.from(dataOf(kept, "token-secret"))];
  if (given.length !== known.length || !timingSafeEqual(given, known)) return false;
  if (kept.metadata.deletionTimestamp !== undefined || dataOf(kept, "token-id") !== id) return false;
  const expiration = dataOf(kept, "expiration");
  // What is no time has run out.
  if (expiration !== "" && !(Date.parse(expiration) > now)) return false;
  return dataOf(kept, "usage-bootstrap-authentication") === "true";
}

const dataOf = (secret: KubeObject, field: string): string =>
  Buffer.from(textAt(secret, "data", field), "base64").toString();
