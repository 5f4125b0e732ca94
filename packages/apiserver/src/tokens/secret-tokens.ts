import { type KubeObject, textAt } from "@boxship/api";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { accountUser } from "./account-user.ts";
import type { SigningKeys } from "./signing-keys.ts";
import { type Identified, type TokenAuthenticator, unauthorized } from "./token-authenticator.ts";

export const TOKEN_SECRET = "kubernetes.io/service-account-token";
export const ACCOUNT_NAME = "kubernetes.io/service-account.name";
export const ACCOUNT_UID = "kubernetes.io/service-account.uid";

const ISSUER = "kubernetes/serviceaccount";
const CLAIM = "kubernetes.io/serviceaccount";

/** Tokens without an end, which are kept in secrets and hold as long as those do. */
export class SecretTokens implements TokenAuthenticator {
  readonly #context: () => ServerContext;
  readonly #keys: SigningKeys;

  constructor(context: () => ServerContext, keys: SigningKeys) {
    this.#context = context;
    this.#keys = keys;
  }

  issue(account: KubeObject, secret: string): Promise<string> {
    const { name = "", namespace = "", uid = "" } = account.metadata;
    return this.#keys.sign({
      iss: ISSUER,
      [`${CLAIM}/namespace`]: namespace,
      [`${CLAIM}/secret.name`]: secret,
      [`${CLAIM}/service-account.name`]: name,
      [`${CLAIM}/service-account.uid`]: uid,
      sub: `system:serviceaccount:${namespace}:${name}`,
    });
  }

  async authenticateToken(text: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const token = await this.#keys.check(text);
    if (token === undefined || token.claims["iss"] !== ISSUER) return undefined;
    const claim = (name: string): string => textAt(token.claims, `${CLAIM}/${name}`);
    const [namespace, name, uid] = [claim("namespace"), claim("service-account.name"), claim("service-account.uid")];
    const context = this.#context();
    const secret = await readObject(context, "", "secrets", { name: claim("secret.name"), namespace });
    const kept = Buffer.from(textAt(secret ?? {}, "data", "token"), "base64").toString();
    const account = await readObject(context, "", "serviceaccounts", { name, namespace });
    if (kept !== text || secret?.metadata.deletionTimestamp !== undefined || account?.metadata.uid !== uid) {
      throw unauthorized("service account token has been invalidated");
    }
    return { user: accountUser(namespace, name, uid, {}), audiences };
  }
}
