import type { Descriptor, Digest } from "@boxship/oci";
import type { KeyValue } from "@boxship/store";

/** What is kept of a manifest beside its bytes, which are in the content store. */
export interface ManifestRecord {
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  /** Blobs and manifests that it needs. */
  readonly needs: readonly Digest[];
  readonly subject?: Digest;
  /** It is a copy of another registry's, and what it needs is fetched when it is asked for. */
  readonly cached?: true;
  /** Milliseconds since the epoch. */
  readonly pushedAt: number;
}

export interface TagRecord {
  readonly digest: Digest;
  readonly pushedAt: number;
}

/** A blob that a repository may serve. */
export interface BlobRecord {
  readonly size: number;
  readonly pushedAt: number;
}

export interface UploadRecord {
  readonly repository: string;
  readonly startedAt: number;
}

/** A manifest that names another as its subject. */
export type ReferrerRecord = Descriptor;

/** Referrers as another registry told of them. */
export interface ListedRecord {
  readonly manifests: readonly ReferrerRecord[];
  /** It told of more. */
  readonly cut?: true;
  /** When, in milliseconds since the epoch. */
  readonly pushedAt: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeRecord(record: object): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

/** Records are written by this program only, and of the kind that their key says. */
export function decodeRecord({ value }: Pick<KeyValue, "value">): unknown {
  return JSON.parse(decoder.decode(value));
}
