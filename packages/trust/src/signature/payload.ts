import { duplicateKey, errorMessage, InvalidArgument } from "@boxship/base";

/** What a signature says of an image ("simple signing" of containers/image, as cosign writes it). */
export interface SignedClaim {
  /** Name under which the image was signed: a repository, or one with a tag or digest. */
  readonly identity: string;
  /** Of the manifest or index. */
  readonly digest: string;
  readonly optional: Readonly<Record<string, unknown>>;
}

const COSIGN_TYPE = "cosign container image signature";
const LIMIT = 4 * 1024 * 1024;

/** The bytes that are signed, in the form that Go programs write. */
export function encodePayload({ identity, digest, optional }: SignedClaim): Buffer {
  const document = {
    critical: {
      identity: { "docker-reference": identity },
      image: { "docker-manifest-digest": digest },
      type: COSIGN_TYPE,
    },
    optional: Object.keys(optional).length === 0 ? null : optional,
  };
  return Buffer.from(JSON.stringify(document));
}

const malformed = (why: string, cause?: unknown) =>
  new InvalidArgument(`the signature's payload is malformed: ${why}`, { cause });

/**
 * Reads what was signed; only after the signature was verified. Anything unexpected in what is critical is refused: it
 * may be a condition that this program does not know.
 *
 * @throws InvalidArgument
 */
export function decodePayload(bytes: Uint8Array): SignedClaim {
  if (bytes.byteLength > LIMIT) throw malformed(`it has ${bytes.byteLength} bytes`);
  let document: unknown;
  const source = Buffer.from(bytes).toString();
  try {
    document = JSON.parse(source);
  } catch (error) {
    throw malformed(errorMessage(error), error);
  }
  const twice = duplicateKey(source);
  if (twice !== undefined) throw malformed(`it has ${JSON.stringify(twice)} twice`);
  const root = exactly(document, ["critical", "optional"], "it");
  const critical = exactly(root["critical"], ["type", "image", "identity"], "critical");
  const image = exactly(critical["image"], ["docker-manifest-digest"], "image");
  const identity = exactly(critical["identity"], ["docker-reference"], "identity");
  if (critical["type"] !== COSIGN_TYPE) throw malformed(`its type is ${JSON.stringify(critical["type"])}`);
  const optional = root["optional"];
  return {
    identity: text(identity["docker-reference"]),
    digest: text(image["docker-manifest-digest"]),
    optional: typeof optional === "object" && optional !== null ? (optional as Record<string, unknown>) : {},
  };
}

function exactly(value: unknown, keys: readonly string[], name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`${name} is no object`);
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) throw malformed(`${name} has the unknown member ${JSON.stringify(key)}`);
  }
  for (const key of keys) {
    if (key !== "optional" && !Object.hasOwn(value, key)) throw malformed(`${name} has no ${key}`);
  }
  return value as Record<string, unknown>;
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw malformed("a member is no text");
}
