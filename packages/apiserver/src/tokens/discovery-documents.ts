import { jsonReply, type Reply } from "../http/reply.ts";
import type { ServiceAccountTokens } from "./service-account-tokens.ts";

const HOUR = { "cache-control": "public, max-age=3600" };
export const KEYS_PATH = "/openid/v1/jwks";
export const DISCOVERY_PATH = "/.well-known/openid-configuration";

/** What others need to check service accounts' tokens: OpenID Connect Discovery 1.0 §4, and the keys. */
export function tokenDocument(path: string, tokens: ServiceAccountTokens, server: string): Reply | undefined {
  if (path === KEYS_PATH) {
    return { ...jsonReply(tokens.keys.jwks()), contentType: "application/jwk-set+json", headers: HOUR };
  }
  if (path !== DISCOVERY_PATH) return undefined;
  const document = {
    issuer: tokens.issuer,
    jwks_uri: `${server}${KEYS_PATH}`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: tokens.keys.algorithms,
  };
  return { ...jsonReply(document), headers: HOUR };
}
