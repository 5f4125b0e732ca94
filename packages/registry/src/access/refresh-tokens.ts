import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PermissionDenied, systemCode } from "@boxship/base";
import { jwtVerify, SignJWT } from "jose";

const KEY_BYTES = 32;

/** The key of a registry's refresh tokens, which outlive its processes; made if it is missing. */
export function refreshKey(root: string): Uint8Array {
  const path = join(root, "token-key");
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const kept = readKey(path);
  // One that was not written to its end signs nothing, or little that could not be guessed.
  if (kept?.byteLength === KEY_BYTES) return kept;
  const key = randomBytes(KEY_BYTES);
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, key, { mode: 0o600, flush: true });
  renameSync(temporary, path);
  return key;
}

function readKey(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * What a client keeps instead of a password (`docker login`), and gets tokens for. It is good until the password changes,
 * or the user is gone.
 */
export class RefreshTokens {
  readonly #key: Uint8Array;
  readonly #audience: string;
  readonly #hashes: ReadonlyMap<string, string>;

  /** @param hashes of the users' passwords */
  constructor(key: Uint8Array, service: string, hashes: ReadonlyMap<string, string>) {
    this.#key = key;
    this.#audience = `${service} refresh`;
    this.#hashes = hashes;
  }

  issue(user: string): Promise<string> {
    return new SignJWT({ password: this.#proof(user) })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(user)
      .setAudience(this.#audience)
      .sign(this.#key);
  }

  /** @returns the user @throws PermissionDenied */
  async verify(token: string): Promise<string> {
    let cause: unknown;
    try {
      const { payload } = await jwtVerify(token, this.#key, { algorithms: ["HS256"], audience: this.#audience });
      const user = payload.sub ?? "";
      if (this.#hashes.has(user) && payload["password"] === this.#proof(user)) return user;
    } catch (error) {
      cause = error;
    }
    throw new PermissionDenied("the refresh token is not valid here any more", {
      cause,
      subject: { kind: "credentials", name: "token" },
      remedy: "log in again",
    });
  }

  #proof(user: string): string {
    const hash = this.#hashes.get(user) ?? "";
    return createHmac("sha256", this.#key).update(hash).digest("base64url");
  }
}
