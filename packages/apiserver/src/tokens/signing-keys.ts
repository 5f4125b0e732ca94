import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { JsonObject } from "@boxship/api";
import { Internal, systemCode, writeFileAtomic } from "@boxship/base";
import { algorithmOf, isSignedBy, readToken, signToken, type UncheckedToken } from "./json-web-token.ts";

interface Key {
  readonly id: string;
  readonly secret: KeyObject;
  readonly open: KeyObject;
}

/** The keys that service accounts' tokens are signed with: the first signs, all vouch. */
export class SigningKeys {
  readonly #keys: readonly Key[];

  /** @param secrets private keys, RSA or of NIST's curves, the newest first */
  constructor(secrets: readonly KeyObject[]) {
    this.#keys = secrets.map((secret) => {
      const open = createPublicKey(secret);
      const id = createHash("sha256")
        .update(open.export({ type: "spki", format: "der" }))
        .digest("base64url");
      return { id, secret, open };
    });
  }

  /**
   * The keys of a file of PEM texts, made with mode 0600 and one key of P-256 if it is missing.
   *
   * @throws Internal for a file that holds something else
   */
  static async open(path: string): Promise<SigningKeys> {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "prime256v1" });
      text = privateKey.export({ type: "pkcs8", format: "pem" });
      await writeFileAtomic(path, text, { mode: 0o600 });
    }
    const pems = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/g) ?? [];
    try {
      const secrets = pems.map((pem) => createPrivateKey(pem));
      if (secrets.length > 0 && secrets.every((key) => algorithmOf(key) !== "")) return new SigningKeys(secrets);
    } catch {
      // Said below: the cause might quote the key.
    }
    throw new Internal(`${path} does not hold private keys to sign tokens with`, {
      remedy: "put the file back as it was, or remove it: then all tokens of service accounts end",
    });
  }

  sign(claims: JsonObject): Promise<string> {
    const { secret, id } = this.#keys[0] as Key;
    return signToken(secret, id, claims);
  }

  /** The token, if one of the keys has signed it. */
  async check(text: string): Promise<UncheckedToken | undefined> {
    const token = readToken(text);
    if (token === undefined) return undefined;
    const named = this.#keys.filter(({ id }) => id === token.keyId);
    const tried = token.keyId === "" ? this.#keys : named;
    for (const { open } of tried) if (await isSignedBy(token, open)) return token;
    return undefined;
  }

  get algorithms(): string[] {
    return [...new Set(this.#keys.map(({ secret }) => algorithmOf(secret)))];
  }

  /** RFC 7517 §5 */
  jwks(): JsonObject {
    const keys = this.#keys.map(({ open, id }) => ({
      use: "sig",
      kty: "",
      ...(open.export({ format: "jwk" }) as JsonObject),
      kid: id,
      alg: algorithmOf(open),
    }));
    return { keys };
  }
}
