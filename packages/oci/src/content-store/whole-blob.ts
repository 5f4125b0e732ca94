import { InvalidArgument, ResourceExhausted } from "@boxship/base";
import { type Digest, digestAlgorithm, digestOf } from "../digest.ts";
import type { BlobReader, ReadOptions } from "./contract.ts";

const READ_LIMIT = 64 * 1024 * 1024;

/** The digest of content that is put into a store whole. @throws InvalidArgument if another is expected */
export function verifiedDigest(bytes: Uint8Array, expected?: Digest): Digest {
  const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
  if (expected === undefined || digest === expected) return digest;
  throw new InvalidArgument(`blob ${expected} has the digest ${digest}`, { subject: { kind: "blob", name: expected } });
}

/** A blob, or a part of it, in memory. @throws ResourceExhausted if that is more than the limit */
export async function readWithin(reader: BlobReader, options: ReadOptions): Promise<Uint8Array> {
  const { offset = 0, limit = READ_LIMIT } = options;
  const length = Math.min(options.length ?? Infinity, Math.max(0, reader.size - offset));
  if (length > limit) {
    throw new ResourceExhausted(
      `blob ${reader.digest} is too large to read: ${length} bytes where ${limit} are allowed`,
    );
  }
  return reader.read(offset, length);
}
