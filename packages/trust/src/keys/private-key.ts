import {
  createPrivateKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  type ScryptOptions,
  scrypt,
} from "node:crypto";
import { promisify } from "node:util";
import { InvalidArgument, PermissionDenied, Unsupported } from "@boxship/base";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";

/** A pair as files: the private half encrypted. */
export interface KeyPairFiles {
  /** PEM, `ENCRYPTED SIGSTORE PRIVATE KEY`. */
  readonly privateKey: string;
  /** PEM, `PUBLIC KEY`. */
  readonly publicKey: string;
}

const LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY";
const LABELS: ReadonlySet<string> = new Set([LABEL, "ENCRYPTED COSIGN PRIVATE KEY"]);
/** What cosign takes: 64 MB of memory and a third of a second for each try. */
const COST = { N: 65_536, r: 8, p: 1 };
/** Files come from elsewhere: more than this is an attack on memory. */
const MOST_COST = 2 ** 20;
const SALT_BYTES = 32;
const NONCE_BYTES = 24;
const KEY_BYTES = 32;

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);
const generate = promisify(generateKeyPair);

/** Makes a pair for signing images (ECDSA on P-256), as `cosign generate-key-pair` does. */
export async function generateKeyPairFiles(passphrase: string): Promise<KeyPairFiles> {
  const { privateKey, publicKey } = await generate("ec", { namedCurve: "P-256" });
  return {
    privateKey: await encryptPrivateKey(privateKey, passphrase),
    publicKey: publicKey.export({ type: "spki", format: "pem" }),
  };
}

/** A private key in the form of cosign's files: scrypt and NaCl's secretbox. */
export async function encryptPrivateKey(key: KeyObject, passphrase: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const secret = await deriveKey(passphrase, salt, COST);
  const ciphertext = xsalsa20poly1305(secret, nonce).encrypt(key.export({ type: "pkcs8", format: "der" }));
  const document = {
    kdf: { name: "scrypt", params: COST, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(ciphertext).toString("base64"),
  };
  const body = Buffer.from(JSON.stringify(document)).toString("base64");
  const lines = body.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${LABEL}-----\n${lines.join("\n")}\n-----END ${LABEL}-----\n`;
}

/**
 * Opens a private key file of cosign's.
 *
 * @throws PermissionDenied for a wrong passphrase, or a file that was changed
 * @throws InvalidArgument for a malformed file; Unsupported for other kinds of keys
 */
export async function decryptPrivateKey(pem: string, passphrase: string): Promise<KeyObject> {
  const { salt, nonce, ciphertext, cost } = readFile(pem);
  const secret = await deriveKey(passphrase, salt, cost);
  let der: Uint8Array;
  try {
    der = xsalsa20poly1305(secret, nonce).decrypt(ciphertext);
  } catch (error) {
    throw new PermissionDenied("the private key cannot be decrypted: wrong passphrase, or the file was changed", {
      cause: error,
      remedy: "set COSIGN_PASSWORD to the passphrase that the key was made with",
    });
  }
  return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
}

function deriveKey(passphrase: string, salt: Uint8Array, { N, r, p }: typeof COST): Promise<Buffer> {
  return derive(passphrase, salt, KEY_BYTES, { N, r, p, maxmem: 256 * N * r });
}

interface EncryptedKey {
  readonly salt: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly cost: typeof COST;
}

const malformed = (why: string, cause?: unknown) =>
  new InvalidArgument(`the private key file is malformed: ${why}`, { cause });

function readFile(pem: string): EncryptedKey {
  const match = /^\s*-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/.exec(pem);
  const [, label = "", body = ""] = match ?? [];
  if (match === null) throw malformed("it is no PEM file");
  if (!LABELS.has(label)) {
    throw new Unsupported(`keys of the kind ${JSON.stringify(label)} are not supported`, {
      remedy: "use a key of boxship key generate, or of cosign generate-key-pair",
    });
  }
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(body, "base64").toString());
  } catch (error) {
    throw malformed("its body is no JSON", error);
  }
  const kdf = member(document, "kdf");
  const cipher = member(document, "cipher");
  if (text(kdf, "name") !== "scrypt") throw new Unsupported(`key derivation ${text(kdf, "name")} is not supported`);
  if (text(cipher, "name") !== "nacl/secretbox")
    throw new Unsupported(`cipher ${text(cipher, "name")} is not supported`);
  const params = member(kdf, "params");
  const cost = { N: count(params, "N"), r: count(params, "r"), p: count(params, "p") };
  if (cost.N * cost.r > MOST_COST * 8 || cost.p > 16 || (cost.N & (cost.N - 1)) !== 0 || cost.N < 2) {
    throw malformed(`its cost ${cost.N}, ${cost.r}, ${cost.p} is out of bounds`);
  }
  const nonce = bytes(cipher, "nonce");
  if (nonce.length !== NONCE_BYTES) throw malformed(`its nonce has ${nonce.length} bytes`);
  return { salt: bytes(kdf, "salt"), nonce, ciphertext: bytes(document, "ciphertext"), cost };
}

function member(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) throw malformed(`it has no ${key}`);
  return (value as Record<string, unknown>)[key];
}

function text(value: unknown, key: string): string {
  const found = member(value, key);
  if (typeof found === "string") return found;
  throw malformed(`${key} is no text`);
}

function count(value: unknown, key: string): number {
  const found = member(value, key);
  if (typeof found === "number" && Number.isSafeInteger(found) && found > 0) return found;
  throw malformed(`${key} is no number`);
}

function bytes(value: unknown, key: string): Buffer {
  return Buffer.from(text(value, key), "base64");
}
