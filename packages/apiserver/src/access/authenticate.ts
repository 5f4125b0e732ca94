import { failure } from "@boxship/api";
import { ANONYMOUS, type Authenticator, type CertificateSubject, type Credentials, type User } from "../contract.ts";

export const AUTHENTICATED = "system:authenticated";

/** Client certificates: the common name is the user, organizations are groups. */
export const certificateAuthenticator: Authenticator = {
  authenticate({ certificate }) {
    if (certificate === undefined || certificate.isFrontProxy === true) return undefined;
    return userOf(certificate);
  },
};

const known = new WeakMap<CertificateSubject, User>();
/** One for all connections of the same. */
const users = new Map<string, User>();
const MOST_USERS = 1000;

function userOf(certificate: CertificateSubject): User {
  const same = known.get(certificate);
  if (same !== undefined) return same;
  const { commonName: name, organizations } = certificate;
  const key = JSON.stringify([name, organizations]);
  const user = users.get(key) ?? { name, groups: [...organizations, AUTHENTICATED] };
  if (users.size >= MOST_USERS) users.clear();
  users.set(key, user);
  known.set(certificate, user);
  return user;
}

/** What nobody may ask for, and whether nobody may ask at all. */
export interface AnonymousPolicy {
  readonly enabled: boolean;
  /** @default every path */
  readonly paths?: readonly string[];
}

/**
 * The first authenticator that knows the caller decides; nobody's callers are anonymous.
 *
 * @throws Unauthorized for a token, password or certificate that nobody knows, and where nobody may ask
 */
export function authenticate(
  authenticators: readonly Authenticator[],
  credentials: Credentials,
  path: string,
  anonymous: AnonymousPolicy,
): User | Promise<User> {
  for (const [index, one] of authenticators.entries()) {
    const user = one.authenticate(credentials);
    if (user instanceof Promise) {
      return user.then((found) => found ?? authenticate(authenticators.slice(index + 1), credentials, path, anonymous));
    }
    if (user !== undefined) return user;
  }
  const allowed = anonymous.enabled && (anonymous.paths?.includes(path) ?? true);
  const isWrong = credentials.headers.authorization !== undefined || credentials.isRefused === true;
  if (isWrong || !allowed) throw failure("Unauthorized", "Unauthorized");
  return ANONYMOUS;
}
