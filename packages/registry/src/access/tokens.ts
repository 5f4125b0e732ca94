import { randomBytes } from "node:crypto";
import { type Clock, PermissionDenied } from "@boxship/base";
import { jwtVerify, SignJWT } from "jose";
import type { Action, IssuedToken } from "./contract.ts";

/** Seconds; clients ask for a new one by themselves. */
const LIFE = 300;
const ACTIONS: readonly Action[] = ["pull", "push", "delete"];

/** What a token lets its bearer do. */
export interface Grant {
  readonly repository: string;
  readonly actions: readonly Action[];
}

/**
 * Tokens of this process: a new start makes all of them worthless, and clients get others. They last as long as they
 * should whatever becomes of the machine's clock.
 */
export class Tokens {
  readonly #key = randomBytes(32);
  readonly #audience: string;
  readonly #clock: Clock;
  readonly #start: number;

  constructor(audience: string, clock: Clock) {
    this.#audience = audience;
    this.#clock = clock;
    this.#start = clock.now() - clock.monotonic();
  }

  #now(): number {
    return this.#start + this.#clock.monotonic();
  }

  async issue(user: string, grants: readonly Grant[]): Promise<IssuedToken> {
    const now = Math.floor(this.#now() / 1000);
    const token = await new SignJWT({ grants })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(user)
      .setAudience(this.#audience)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFE)
      .sign(this.#key);
    const issued = new Date(Math.floor(this.#clock.now() / 1000) * 1000).toISOString();
    return { token, access_token: token, expires_in: LIFE, issued_at: issued };
  }

  /** @throws PermissionDenied for one that is forged, of somebody else, or too old */
  async verify(token: string): Promise<{ readonly user: string; readonly grants: readonly Grant[] }> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ["HS256"],
        audience: this.#audience,
        currentDate: new Date(this.#now()),
      });
      return { user: payload.sub ?? "", grants: payload["grants"] as readonly Grant[] };
    } catch (cause) {
      throw new PermissionDenied("the token is not valid here", {
        cause,
        subject: { kind: "credentials", name: "token" },
      });
    }
  }
}

/** As {@link parseScope} reads it. */
export function formatScope({ repository, actions }: Grant): string {
  return `repository:${repository}:${actions.join(",")}`;
}

/** `repository:NAME:pull,push`; undefined for scopes of other kinds, which are granted to nobody. */
export function parseScope(scope: string): Grant | undefined {
  const match = /^repository(?:\([a-z0-9]+\))?:(.+):([a-z,*]+)$/.exec(scope);
  if (match === null) return undefined;
  const asked = (match[2] ?? "").split(",");
  const actions = ACTIONS.filter((action) => asked.includes(action) || asked.includes("*"));
  return { repository: match[1] ?? "", actions };
}
