import type { Descriptor, Digest } from "@boxship/oci";

/**
 * Images that are served besides those that were pushed: what an engine has pulled and built. What was pushed goes
 * before them. Asked anew each time; nothing here waits for a disk.
 */
export interface ImageSource {
  /** In no order. */
  repositories(): Iterable<string>;
  /** Manifests by tag; empty for a repository that it does not have. */
  tags(repository: string): ReadonlyMap<string, Descriptor>;
  manifest(repository: string, digest: Digest): Descriptor | undefined;
  /** Whether an image of the repository needs a blob. */
  hasBlob(repository: string, digest: Digest): boolean;
}

/** Whom a registry tells what was changed in it. */
export interface RegistryListener {
  /**
   * A tag stands for a manifest, durably. The client is answered when it resolves; it never rejects.
   *
   * @param host the name that the client has for the registry
   */
  tagged(tag: {
    readonly repository: string;
    readonly tag: string;
    readonly host: string;
    readonly manifest: Descriptor;
  }): Promise<void>;
  /** A tag is gone. */
  untagged(tag: { readonly repository: string; readonly tag: string }): Promise<void>;
}
