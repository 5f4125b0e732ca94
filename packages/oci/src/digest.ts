import { createHash, type Hash } from "node:crypto";
import { InvalidArgument } from "@boxship/base/errors";

/** Content by its hash: `<algorithm>:<lower-case hex>` (OCI image spec, descriptor.md, "Digests"). */
export type Digest = `${DigestAlgorithm}:${string}`;

export type DigestAlgorithm = "sha256" | "sha384" | "sha512";

const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };
const ALGORITHMS = Object.keys(HEX_LENGTH) as readonly DigestAlgorithm[];

function isAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(HEX_LENGTH, text);
}

function malformed(text: string, message: string): InvalidArgument {
  return new InvalidArgument(message, { subject: { kind: "digest", name: text } });
}

/** @throws InvalidArgument unless `text` is a digest of a supported algorithm */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  if (colon <= 0 || hex === "") throw malformed(text, "invalid checksum digest format");
  if (!isAlgorithm(algorithm)) {
    if (!/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*$/i.test(algorithm)) throw malformed(text, "invalid checksum digest format");
    throw malformed(text, "unsupported digest algorithm");
  }
  if (hex.length !== HEX_LENGTH[algorithm]) throw malformed(text, "invalid checksum digest length");
  if (!/^[0-9a-f]+$/.test(hex)) throw malformed(text, "invalid checksum digest format");
  return `${algorithm}:${hex}`;
}

export function isDigest(text: string): text is Digest {
  const algorithm = ALGORITHMS.find((name) => text.startsWith(`${name}:`));
  if (algorithm === undefined) return false;
  const hex = text.slice(algorithm.length + 1);
  return hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex);
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(":")) as DigestAlgorithm;
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of bytes in memory. @param algorithm @default "sha256" */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Hashes content piece by piece. `digest` may be read once. */
export class Digester {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #size = 0;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.byteLength;
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}

/** Id of a stack of layers by the diff ids of all of them, bottom first (OCI image spec, config.md, "Layer ChainID"). */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`));
  }
  return chain;
}
