import { failure } from "@boxship/api";
import { ANONYMOUS, type Authenticator, type Credentials, type User } from "../contract.ts";

export const AUTHENTICATED = "system:authenticated";

/** Client certificates: the common name is the user, organizations are groups. */
export const certificateAuthenticator: Authenticator = {
  async authenticate({ certificate }) {
    if (certificate === undefined) return undefined;
    return { name: certificate.commonName, groups: [...certificate.organizations, AUTHENTICATED] };
  },
};

/**
 * The first authenticator that knows the caller decides; nobody's callers are anonymous.
 *
 * @throws Unauthorized for a token or password that nobody knows
 */
export async function authenticate(authenticators: readonly Authenticator[], credentials: Credentials): Promise<User> {
  for (const one of authenticators) {
    const user = await one.authenticate(credentials);
    if (user !== undefined) return user;
  }
  if (credentials.headers.authorization !== undefined) throw failure("Unauthorized", "Unauthorized");
  return ANONYMOUS;
}
