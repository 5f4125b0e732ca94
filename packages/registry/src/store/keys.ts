import type { Digest } from "@boxship/oci";

/**
 * Where things stand in the key-value store. `@` is in no repository's name, so that what follows it belongs to exactly
 * the one before it.
 */
export const keys = {
  /** Every repository that something was pushed to. */
  repositories: "repository/",
  repository: (name: string): string => `repository/${name}`,
  manifests: (name: string): string => `manifest/${name}@`,
  manifest: (name: string, digest: Digest): string => `manifest/${name}@${digest}`,
  tags: (name: string): string => `tag/${name}@`,
  tag: (name: string, tag: string): string => `tag/${name}@${tag}`,
  blobs: (name: string): string => `blob/${name}@`,
  blob: (name: string, digest: Digest): string => `blob/${name}@${digest}`,
  referrers: (name: string, subject: Digest): string => `referrer/${name}@${subject}/`,
  referrer: (name: string, subject: Digest, digest: Digest): string => `referrer/${name}@${subject}/${digest}`,
  /** What another registry told of as referrers. */
  listed: (name: string, subject: Digest): string => `listed/${name}@${subject}`,
  uploads: "upload/",
  upload: (id: string): string => `upload/${id}`,
};
