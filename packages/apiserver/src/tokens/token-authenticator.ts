import { failure } from "@boxship/api";
import type { Authenticator, User } from "../contract.ts";

/** Whom a token stands for, and which of the audiences asked about it is for. */
export interface Identified {
  readonly user: User;
  readonly audiences: readonly string[];
}

export interface TokenAuthenticator {
  /**
   * @param audiences of which the token must be for at least one
   * @returns undefined for what is no token of its making
   * @throws Unauthorized for one of its making that it does not accept; the message never holds any of the token
   */
  authenticateToken(token: string, audiences: readonly string[]): Promise<Identified | undefined>;
}

export const unauthorized = (why: string): Error => failure("Unauthorized", why);

/** The first that accepts a token decides. */
export class TokenAuthenticators implements TokenAuthenticator {
  readonly #authenticators: readonly TokenAuthenticator[];

  constructor(authenticators: readonly TokenAuthenticator[]) {
    this.#authenticators = authenticators;
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<Identified | undefined> {
    let refusal: unknown;
    for (const one of this.#authenticators) {
      try {
        const identified = await one.authenticateToken(token, audiences);
        if (identified !== undefined) return identified;
      } catch (error) {
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    return undefined;
  }
}

const BEARER = /^bearer +(?<token>\S+) *$/i;

/** Tokens of the header `Authorization: Bearer`. */
export function bearerAuthenticator(tokens: TokenAuthenticator, audiences: readonly string[]): Authenticator {
  return {
    authenticate({ headers: { authorization } }) {
      const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.groups?.["token"];
      return token === undefined ? undefined : userOf(tokens, token, audiences);
    },
  };
}

async function userOf(
  tokens: TokenAuthenticator,
  token: string,
  audiences: readonly string[],
): Promise<User | undefined> {
  try {
    return (await tokens.authenticateToken(token, audiences))?.user;
  } catch {
    // Why is not for those to know whose token is not accepted.
    throw unauthorized("Unauthorized");
  }
}
