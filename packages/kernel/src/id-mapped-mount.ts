import { systemCode, Unsupported } from "@boxship/base";
import type { Fd } from "./fd.ts";
import { MountFlag } from "./mount.ts";
import { attachMount, cloneMount, MountAttribute, mountSetattr } from "./mount-filesystem.ts";
import { openNamespace } from "./namespace.ts";

export interface IdMappedMount {
  readonly source: string;
  /** Path of the file of a user namespace. */
  readonly userNamespace: string;
  /** What is mounted below the source is there as well, with the ids that it has. @default false */
  readonly withBelow?: boolean;
  /** What is mounted below the source later is seen there. @default false */
  readonly follows?: boolean;
  /** `recursive`: with what is mounted below. @default false */
  readonly readOnly?: boolean | "recursive";
}

/**
 * Mounts a directory or file at a second place, where the ids of a user namespace stand for those on the disk: an owner 0
 * is seen as the namespace's root, and what that makes has the owner 0 on the disk. Linux 5.12; the file system must know
 * of it.
 *
 * @throws Unsupported where the kernel or the file system does not do it
 */
export function mountIdMapped(request: IdMappedMount & { readonly target: string }): void {
  using mapped = cloneIdMapped(request);
  attachMount(mapped, request.target);
}

/** As {@link mountIdMapped}, but the mount is not in the tree yet: closing the descriptor ends it. */
export function cloneIdMapped(request: IdMappedMount): Fd {
  const { source, userNamespace, withBelow: recursive = false, follows = false, readOnly = false } = request;
  const mapped = cloneMount(source, recursive);
  try {
    using namespace = openNamespace(userNamespace);
    mountSetattr(mapped, { set: MountAttribute.IdMap, userNamespace: namespace });
    if (readOnly !== false) mountSetattr(mapped, { set: MountAttribute.ReadOnly, recursive: readOnly === "recursive" });
    // As a peer of its source it would be mounted below itself, and that again, where its place is below the source.
    mountSetattr(mapped, { propagation: follows ? MountFlag.Slave : MountFlag.Private, recursive });
    return mapped;
  } catch (error) {
    mapped.close();
    const code = systemCode(error);
    if (code !== "EINVAL" && code !== "ENOSYS" && code !== "EPERM") throw error;
    throw new Unsupported(`the file system of ${source} cannot be mounted with other ids: ${code}`, {
      cause: error,
      subject: { kind: "filesystem", name: source },
      remedy: "use ext4, xfs or btrfs, and Linux 5.19 or later",
    });
  }
}
