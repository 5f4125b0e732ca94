import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { InvalidArgument, PermissionDenied } from "@boxship/base";
import { compare } from "bcryptjs";
import type { Access } from "./contract.ts";
import { ANONYMOUS, compileRules, type Rule } from "./rules.ts";

/** How many passwords that were right are remembered, hashed, so that not each request costs a bcrypt. */
const REMEMBERED = 1000;
/** What an unknown user's password is compared with, so that guessing names takes as long as guessing passwords. */
const NOBODY = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.S0F2vIe3w0a8L0y8u3n1m7Y3Z1Oi";

export interface HtpasswdAccessOptions {
  /** Lines `name:hash` with hashes of bcrypt, as `htpasswd -B` writes them. */
  readonly htpasswd: string;
  /** @default every user of the file may do everything */
  readonly rules?: readonly Rule[];
  /** Users of each group. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** @default "boxship" */
  readonly realm?: string;
}

/** Users with passwords (RFC 7617). @throws InvalidArgument for a line that is none, naming it */
export function htpasswdAccess(options: HtpasswdAccessOptions): Access {
  const { rules = [{ actions: ["pull", "push", "delete"] }], groups, realm = "boxship" } = options;
  const users = readHtpasswd(options.htpasswd);
  const allows = compileRules(rules, groups);
  const known = new Set<string>();

  const authenticate = async (header: string | undefined): Promise<string> => {
    if (header === undefined) return ANONYMOUS;
    const [, encoded = ""] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header) ?? [];
    const credentials = Buffer.from(encoded, "base64").toString("utf8");
    const colon = credentials.indexOf(":");
    const [user, password] = [credentials.slice(0, Math.max(0, colon)), credentials.slice(colon + 1)];
    const hash = users.get(user);
    const proof = createHash("sha256").update(`${hash}\0${credentials}`).digest("base64");
    if (hash !== undefined && known.has(proof)) return user;
    const right = await compare(password, hash ?? NOBODY);
    if (!right || hash === undefined || colon === -1) throw refused("wrong user name or password");
    if (known.size >= REMEMBERED) known.clear();
    known.add(proof);
    return user;
  };

  return {
    async check(request: IncomingMessage, action, repository) {
      const user = await authenticate(request.headers.authorization);
      if (allows(user, action, repository)) return;
      if (user === ANONYMOUS) throw refused("authentication required");
      throw new PermissionDenied(`${user} may not ${action} ${repository === "" ? "here" : repository}`, {
        subject: { kind: "repository", name: repository },
      });
    },
    challenge: () => `Basic realm=${JSON.stringify(realm)}`,
  };
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
