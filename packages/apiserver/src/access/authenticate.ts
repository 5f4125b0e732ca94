import { failure } from "@boxship/api";
import { ANONYMOUS, type Authenticator, type Credentials, type User } from "../contract.ts";

export const AUTHENTICATED = "system:authenticated";

/** Client certificates: the common name is the user, organizations are groups. */
export const certificateAuthenticator: Authenticator = {
  async authenticate({ certificate }) {
    if (certificate === undefined || certificate.isFrontProxy === true) return undefined;
    return { name: certificate.commonName, groups: [...certificate.organizations, AUTHENTICATED] };
  },
};

/** What nobody may ask for, and whether nobody may ask at all. */
export interface AnonymousPolicy {
  readonly enabled: boolean;
  /** @default every path */
  readonly paths?: readonly string[];
}

/**
 * The first authenticator that knows the caller decides; nobody's callers are anonymous.
 *
 * @throws Unauthorized for a token or password that nobody knows, and where nobody may ask
 */
export async function authenticate(
  authenticators: readonly Authenticator[],
  credentials: Credentials,
  path: string,
  anonymous: AnonymousPolicy,
): Promise<User> {
  for (const one of authenticators) {
    const user = await one.authenticate(credentials);
    if (user !== undefined) return user;
  }
  const allowed = anonymous.enabled && (anonymous.paths?.includes(path) ?? true);
  if (credentials.headers.authorization !== undefined || !allowed) throw failure("Unauthorized", "Unauthorized");
  return ANONYMOUS;
}
