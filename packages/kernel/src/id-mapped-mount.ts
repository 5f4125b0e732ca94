import { systemCode, Unsupported } from "@boxship/base";
import type { Fd } from "./fd.ts";
import { attachMount, cloneMount, MountAttribute, mountSetattr } from "./mount-filesystem.ts";
import { openNamespace } from "./namespace.ts";

/**
 * Mounts a directory or file at a second place, where the ids of a user namespace stand for those on the disk: an owner 0
 * is seen as the namespace's root, and what that makes has the owner 0 on the disk. Linux 5.12; the file system must know
 * of it.
 *
 * @param userNamespace path of its file
 * @param recursive with everything mounted below. @default false
 * @throws Unsupported where the kernel or the file system does not do it
 */
export function mountIdMapped(request: {
  readonly source: string;
  readonly target: string;
  readonly userNamespace: string;
  readonly recursive?: boolean;
}): void {
  using mapped = cloneIdMapped(request);
  attachMount(mapped, request.target);
}

/** As {@link mountIdMapped}, but the mount is not in the tree yet: closing the descriptor ends it. */
export function cloneIdMapped(request: {
  readonly source: string;
  readonly userNamespace: string;
  readonly recursive?: boolean;
}): Fd {
  const { source, userNamespace, recursive = false } = request;
  const mapped = cloneMount(source, recursive);
  try {
    using namespace = openNamespace(userNamespace);
    mountSetattr(mapped, { set: MountAttribute.IdMap, userNamespace: namespace, recursive });
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
