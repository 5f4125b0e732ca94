import { FailedPrecondition } from "@boxship/base";
import { compact, Field } from "../decode.ts";
import { type Descriptor, encodeDescriptor, readDescriptor, readDigest } from "../descriptor.ts";
import type { Digest } from "../digest.ts";

/** One manifest on this host. Several may share a configuration, and are one image then. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly indexes: readonly Descriptor[];
  /** Digest of its configuration. */
  readonly id: Digest;
  readonly size: number;
  readonly added: number;
  readonly lastUsed?: number;
}

/** What is written to disk. Never changed in place. */
export interface StoreState {
  readonly manifests: ReadonlyMap<Digest, StoredManifest>;
  /** Full references, with tag or digest, to manifests. */
  readonly names: ReadonlyMap<string, Digest>;
}

/** A state that is being changed. */
export interface Draft {
  readonly manifests: Map<Digest, StoredManifest>;
  readonly names: Map<string, Digest>;
}

export const EMPTY_STATE: StoreState = { manifests: new Map(), names: new Map() };

const VERSION = 1;
const LIMIT = 512 * 1024 * 1024;

export function encodeState(state: StoreState): string {
  const manifests = [...state.manifests.values()].map(({ descriptor, indexes, ...rest }) => ({
    descriptor: encodeDescriptor(descriptor),
    indexes: indexes.map(encodeDescriptor),
    ...rest,
  }));
  return JSON.stringify({ version: VERSION, manifests, names: Object.fromEntries(state.names) });
}

/** @throws InvalidArgument if it is malformed, FailedPrecondition if a later version wrote it */
export function decodeState(path: string, bytes: Uint8Array): StoreState {
  const document = Field.parse(`image list ${path}`, bytes, LIMIT);
  const version = document.get("version").integer();
  if (version !== VERSION) {
    throw new FailedPrecondition(`image list ${path} was written by another version of this program (${version})`, {
      remedy: "use the version that wrote it, or move it away to start without images",
    });
  }
  const manifests = document.get("manifests").array(readStoredManifest);
  const names = document.get("names").record(readDigest);
  return {
    manifests: new Map(manifests.map((manifest) => [manifest.descriptor.digest, manifest])),
    names: new Map(Object.entries(names)),
  };
}

function readStoredManifest(field: Field): StoredManifest {
  return compact({
    descriptor: readDescriptor(field.get("descriptor")),
    indexes: field.get("indexes").array(readDescriptor),
    id: readDigest(field.get("id")),
    size: field.get("size").integer(),
    added: field.get("added").integer(),
    lastUsed: field.get("lastUsed").optional((time) => time.integer()),
  });
}
