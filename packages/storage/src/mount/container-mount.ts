import { readFileSync } from "node:fs";
import { FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base/errors";
import {
  attachMountOn,
  cloneMount,
  createMount,
  type Fd,
  type FilesystemOption,
  FileType,
  fstat,
  type IdKind,
  idOutside,
  idRanges,
  inNamespace,
  MountAttribute,
  MountFlag,
  mountSetattr,
  namespaceId,
  namespacePath,
  openNamespace,
  readMountinfo,
  UnmountFlag,
  unmount,
} from "@boxship/kernel";
import { openMountTarget } from "./mount-target.ts";

/** What is mounted into a container that runs. */
export interface ContainerMount {
  /** A process of the container; the caller sees to it that it is still that one. */
  readonly pid: number;
  /** Absolute, without `.` and `..`. */
  readonly destination: string;
  /** The container's root file system as the host sees it, where places can be made that are read-only inside. */
  readonly rootfs: string;
  readonly content:
    | { readonly type: "tmpfs"; readonly options: readonly string[] }
    | {
        readonly type: "bind";
        readonly source: string;
        readonly readOnly: boolean;
        /** What is mounted below the source is read-only, too. */
        readonly readOnlyRecursive: boolean;
        /** With everything mounted below the source. */
        readonly recursive: boolean;
        /** `rprivate`, `slave` … */
        readonly propagation: string;
      };
}

/** Mounts something into the mount namespace of a container. Enters it: for a worker thread. */
export function attachContainerMount({ pid, destination, rootfs, content }: ContainerMount): void {
  using mounted = content.type === "tmpfs" ? tmpfs(content.options) : bind(content);
  const isDirectory = (fstat(mounted).mode & FileType.Mask) === FileType.Directory;
  using namespace = openContainer(pid);
  const owner = rootOf(pid);
  const attach = () =>
    inNamespace(namespace, "mnt", () => {
      using target = openMountTarget("/", destination, isDirectory, owner);
      attachMountOn(mounted, target);
    });
  try {
    attach();
  } catch (error) {
    if (systemCode(error) !== "EROFS") throw error;
    openMountTarget(rootfs, destination, isDirectory, owner).close();
    attach();
  }
}

/** Root of a container that is in a user namespace, as it is called outside. */
function rootOf(pid: number): { readonly uid: number; readonly gid: number } | undefined {
  if (namespaceId(namespacePath("user", pid)) === namespaceId(namespacePath("user"))) return undefined;
  const outside = (kind: IdKind) => idOutside(0, idRanges(kind, readFileSync(`/proc/${pid}/${kind}_map`, "latin1")));
  const [uid, gid] = [outside("uid"), outside("gid")];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** Takes the mount at a place away from a container; without effect when nothing is mounted there. For a worker thread. */
export function detachContainerMount(pid: number, destination: string): void {
  if (!readMountinfo(pid).some(({ mountPoint }) => mountPoint === destination)) return;
  using namespace = openContainer(pid);
  inNamespace(namespace, "mnt", () => unmount(destination, UnmountFlag.Detach | UnmountFlag.NoFollow));
}

/** The mount namespace of a process, which must not be ours. */
function openContainer(pid: number): Fd {
  const namespace = openNamespace(namespacePath("mnt", pid));
  if (namespaceId(namespace) !== namespaceId(namespacePath("mnt"))) return namespace;
  namespace.close();
  throw new FailedPrecondition(`process ${pid} has no mount namespace of its own`);
}

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MountFlag.Private,
  slave: MountFlag.Slave,
  shared: MountFlag.Shared,
};

function bind(content: Extract<ContainerMount["content"], { readonly type: "bind" }>): Fd {
  const { source, readOnly, readOnlyRecursive, recursive, propagation } = content;
  const mounted = cloneMount(source, recursive);
  try {
    const kind = PROPAGATION[propagation.replace(/^r/, "")] ?? MountFlag.Private;
    mountSetattr(mounted, { propagation: kind, recursive: propagation === "" || propagation.startsWith("r") });
    if (readOnly) mountSetattr(mounted, { set: MountAttribute.ReadOnly, recursive: readOnlyRecursive });
    return mounted;
  } catch (error) {
    mounted.close();
    throw error;
  }
}

const ATTRIBUTES: Readonly<Record<string, number>> = {
  ro: MountAttribute.ReadOnly,
  nosuid: MountAttribute.NoSuid,
  nodev: MountAttribute.NoDev,
  noexec: MountAttribute.NoExec,
  noatime: MountAttribute.NoAtime,
};
/** What is so without an attribute. */
const DEFAULTS: ReadonlySet<string> = new Set(["rw", "suid", "dev", "exec"]);

function tmpfs(words: readonly string[]): Fd {
  let attributes = 0;
  const options: FilesystemOption[] = [];
  for (const word of words) {
    const [name = "", value] = word.split("=", 2);
    if (Object.hasOwn(ATTRIBUTES, name)) attributes |= ATTRIBUTES[name] ?? 0;
    else if (!DEFAULTS.has(name)) options.push([name, value ?? true]);
  }
  try {
    return createMount({ type: "tmpfs", options, attributes });
  } catch (error) {
    if (systemCode(error) !== "EINVAL") throw error;
    throw new InvalidArgument(`invalid tmpfs options ${JSON.stringify(words.join(","))}`, { cause: error });
  }
}
