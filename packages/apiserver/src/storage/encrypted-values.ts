import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Internal, removeUnfinished, systemCode, writeFileAtomic } from "@boxship/base";
import type { ValueCodec } from "./value-codec.ts";

/** No JSON begins with this byte. */
const SEALED = 0x01;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD = 1 + KEY_ID_BYTES + NONCE_BYTES;

interface Key {
  readonly id: Buffer;
  readonly secret: Buffer;
}

const keyOf = (secret: Buffer): Key => ({
  id: Buffer.from(hkdfSync("sha256", secret, "", "boxship value key id", KEY_ID_BYTES)),
  secret,
});

/**
 * Values sealed by AES-256-GCM, bound to their keys so that none can be put in another's place: a byte that marks them,
 * the id of the key, a nonce, the text, the tag. The first key seals; all open. Values that were kept as they are, too,
 * are read.
 */
export class EncryptedValues implements ValueCodec {
  #keys: readonly Key[];
  readonly #path: string | undefined;

  /** @param secrets 32 bytes each, the newest first */
  constructor(secrets: readonly Buffer[], path?: string) {
    this.#keys = secrets.map(keyOf);
    this.#path = path;
  }

  /**
   * The keys of a file, one a line, in base64; made with mode 0600 and one key if it is missing.
   *
   * @throws Internal for a file that holds something else
   */
  static async open(path: string): Promise<EncryptedValues> {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      text = `${randomBytes(32).toString("base64")}\n`;
      await writeFileAtomic(path, text, { mode: 0o600 });
    }
    const secrets = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Buffer.from(line, "base64"));
    if (secrets.length === 0 || secrets.some(({ length }) => length !== 32)) {
      throw new Internal(`${path} does not hold keys of 32 bytes`, {
        remedy: "put the file back as it was: without its keys, secrets cannot be read",
      });
    }
    return new EncryptedValues(secrets, path);
  }

  /** Keys beside the file, of a change that was cut short. For who alone changes it. */
  async removeUnfinished(): Promise<void> {
    if (this.#path !== undefined) await removeUnfinished(this.#path);
  }

  /** Makes a new key, which seals from now on; those that were there open as before. Durable before it is used. */
  async addKey(): Promise<void> {
    await this.#keep([keyOf(randomBytes(32)), ...this.#keys]);
  }

  /** Forgets all keys but the newest ones. */
  async forgetKeys(kept: number): Promise<void> {
    await this.#keep(this.#keys.slice(0, kept));
  }

  async #keep(keys: readonly Key[]): Promise<void> {
    if (this.#path === undefined) throw new Internal("keys that are in no file cannot be changed");
    await writeFileAtomic(this.#path, keys.map(({ secret }) => `${secret.toString("base64")}\n`).join(""), {
      mode: 0o600,
    });
    this.#keys = keys;
  }

  /** Whether a value is sealed, by the newest key. */
  isNewest(value: Uint8Array): boolean {
    return value[0] === SEALED && (this.#keys[0] as Key).id.equals(value.subarray(1, 1 + KEY_ID_BYTES));
  }

  seal(key: string, value: Uint8Array): Uint8Array {
    const newest = this.#keys[0] as Key;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", newest.secret, nonce).setAAD(Buffer.from(key));
    return Buffer.concat([
      Buffer.of(SEALED),
      newest.id,
      nonce,
      cipher.update(value),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  open(key: string, value: Uint8Array): Uint8Array {
    if (value[0] !== SEALED) return value;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const id = bytes.subarray(1, 1 + KEY_ID_BYTES);
    const known = this.#keys.find((one) => one.id.equals(id));
    if (known === undefined) {
      throw new Internal(`${key} is sealed with a key that is not here`, {
        subject: { kind: "key", name: id.toString("hex") },
        remedy: "put the file of keys back as it was",
      });
    }
    const nonce = bytes.subarray(1 + KEY_ID_BYTES, HEAD);
    const decipher = createDecipheriv("aes-256-gcm", known.secret, nonce).setAAD(Buffer.from(key));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(HEAD, -TAG_BYTES)), decipher.final()]);
    } catch (cause) {
      throw new Internal(`${key} does not open: it was changed, or put in another's place`, { cause });
    }
  }
}
