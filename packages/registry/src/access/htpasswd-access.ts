import { createHash, randomBytes } from "node:crypto";
import {
  type Clock,
  InvalidArgument,
  PermissionDenied,
  ResourceExhausted,
  Semaphore,
  systemClock,
} from "@boxship/base";
import { compare } from "bcryptjs";
import { originOf } from "../http/origin.ts";
import type { Access, Action } from "./contract.ts";
import { RefreshTokens } from "./refresh-tokens.ts";
import { ANONYMOUS, compileRules, type Rule } from "./rules.ts";
import { formatScope, type Grant, parseScope, Tokens } from "./tokens.ts";

/** How many passwords that were right are remembered, hashed, so that not each request costs a bcrypt. */
const REMEMBERED = 1000;
/** So many passwords may wait to be checked: each costs the processor as much as its hash was made to. */
const MOST_CHECKS = 100;
/** What an unknown user's password is compared with, so that guessing names takes as long as guessing passwords. */
const NOBODY = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.S0F2vIe3w0a8L0y8u3n1m7Y3Z1Oi";

export interface HtpasswdAccessOptions {
  /** Lines `name:hash` with hashes of bcrypt, as `htpasswd -B` writes them. */
  readonly htpasswd: string;
  /** @default every user of the file may do everything */
  readonly rules?: readonly Rule[];
  /** Users of each group. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Name that tokens are issued for. @default "boxship" */
  readonly service?: string;
  /** Signs refresh tokens; see {@link refreshKey}. @default one of this process */
  readonly key?: Uint8Array;
  readonly clock?: Clock;
}

/**
 * Users with passwords, who get tokens for them: only so do clients that have no password hear that one could be asked
 * for, and go on without where the rules let everybody in. Passwords with each request (RFC 7617) do as well.
 *
 * @throws InvalidArgument for a line that is none, naming it
 */
export function htpasswdAccess(options: HtpasswdAccessOptions): Access {
  const {
    rules = [{ actions: ["pull", "push", "delete"] }],
    groups,
    service = "boxship",
    clock = systemClock,
  } = options;
  const hashes = readHtpasswd(options.htpasswd);
  const passwords = new Passwords(hashes);
  const refreshTokens = new RefreshTokens(options.key ?? randomBytes(32), service, hashes);
  const allows = compileRules(rules, groups);
  const tokens = new Tokens(service, clock);

  return {
    async check(request, action, repository) {
      const { authorization } = request.headers;
      const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
      if (bearer !== undefined) {
        const { user, grants } = await tokens.verify(bearer);
        if (repository === "" ? allows(user, action, "") : includes(grants, action, repository)) return user;
        // Another token may carry it: a client learns its scope from the challenge.
        throw refused(`the token does not let ${user} ${action} ${repository}`);
      }
      const user = await passwords.check(authorization);
      // Only a client that is sent to fetch a token says who it is.
      const asksWhetherToAuthenticate = user === ANONYMOUS && repository === "";
      if (!asksWhetherToAuthenticate && allows(user, action, repository)) return user;
      if (user === ANONYMOUS) throw refused("authentication required");
      throw new PermissionDenied(`${user} may not ${action} ${repository === "" ? "here" : repository}`, {
        subject: { kind: "repository", name: repository },
      });
    },

    async visible(request) {
      const user = await this.check(request, "pull", "");
      return (repository) => allows(user, "pull", repository);
    },

    challenge(request, action, repository) {
      const realm = `${originOf(request)}/token`;
      const actions = action === "push" ? "pull,push" : action;
      const scope = repository === "" ? "" : `,scope="repository:${repository}:${actions}"`;
      return `Bearer realm="${realm}",service="${service}"${scope}`;
    },

    async issueToken(request, scopes, offline) {
      const user = await passwords.check(request.headers.authorization);
      const token = await tokens.issue(user, grantsOf(user, scopes));
      return offline && user !== ANONYMOUS ? { ...token, refresh_token: await refreshTokens.issue(user) } : token;
    },

    async exchangeToken(form) {
      const user = await userOf(form);
      const grants = grantsOf(user, (form.get("scope") ?? "").split(" "));
      const granted = grants.filter(({ actions }) => actions.length > 0).map(formatScope);
      const given = form.get("refresh_token");
      const offline = form.get("access_type") === "offline";
      const refresh = given ?? (offline ? await refreshTokens.issue(user) : undefined);
      const token = { ...(await tokens.issue(user, grants)), scope: granted.join(" ") };
      return refresh === undefined ? token : { ...token, refresh_token: refresh };
    },
  };

  function grantsOf(user: string, scopes: readonly string[]): readonly Grant[] {
    const asked = scopes.map(parseScope).filter((grant) => grant !== undefined);
    return asked.map(({ repository, actions }) => ({
      repository,
      actions: actions.filter((action) => allows(user, action, repository)),
    }));
  }

  async function userOf(form: URLSearchParams): Promise<string> {
    const kind = form.get("grant_type") ?? "";
    if (kind === "refresh_token") return refreshTokens.verify(form.get("refresh_token") ?? "");
    if (kind === "password") return passwords.verify(form.get("username") ?? "", form.get("password") ?? "");
    throw new InvalidArgument(`grant_type must be password or refresh_token, not ${JSON.stringify(kind)}`, {
      subject: { kind: "grant_type", name: kind },
    });
  }
}

function includes(grants: readonly Grant[], action: Action, repository: string): boolean {
  return grants.some((grant) => grant.repository === repository && grant.actions.includes(action));
}

class Passwords {
  readonly #hashes: ReadonlyMap<string, string>;
  readonly #known = new Set<string>();
  readonly #slots = new Semaphore(2);
  #checking = 0;

  constructor(hashes: ReadonlyMap<string, string>) {
    this.#hashes = hashes;
  }

  /** The user of a `Basic` header; {@link ANONYMOUS} without one. @throws PermissionDenied */
  async check(header: string | undefined): Promise<string> {
    if (header === undefined) return ANONYMOUS;
    const [, encoded = ""] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header) ?? [];
    const credentials = Buffer.from(encoded, "base64").toString("utf8");
    const colon = credentials.indexOf(":");
    return this.verify(credentials.slice(0, Math.max(0, colon)), credentials.slice(colon + 1));
  }

  /** @returns the user @throws PermissionDenied, ResourceExhausted where too many are being checked */
  async verify(user: string, password: string): Promise<string> {
    const hash = this.#hashes.get(user);
    const proof = createHash("sha256").update(`${hash}\0${user}:${password}`).digest("base64");
    if (hash !== undefined && this.#known.has(proof)) return user;
    if (this.#checking >= MOST_CHECKS) {
      throw new ResourceExhausted("too many passwords are being checked", {
        subject: { kind: "rate", name: "password" },
        remedy: "try again later",
      });
    }
    this.#checking++;
    try {
      const right = await this.#slots.run(() => compare(password, hash ?? NOBODY));
      if (!right || hash === undefined) throw refused("wrong user name or password");
    } finally {
      this.#checking--;
    }
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.add(proof);
    return user;
  }
}

function refused(message: string): PermissionDenied {
  return new PermissionDenied(message, { subject: { kind: "credentials", name: "password" } });
}

function readHtpasswd(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, user = "", hash = ""] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})\s*$/.exec(line) ?? [];
    if (user === "" || user === ANONYMOUS) {
      throw new InvalidArgument(`line ${index + 1} of the password file is not NAME:HASH with a hash of bcrypt`, {
        remedy: "make it with htpasswd -B",
      });
    }
    users.set(user, hash);
  }
  return users;
}
