import { statSync } from "node:fs";
import {
  createNamespace,
  detachMount,
  type Fd,
  findMounts,
  inNamespace,
  type MountEntry,
  readMountinfo,
  setPropagation,
} from "@boxship/kernel";

const UNIFIED = "/sys/fs/cgroup/unified";

/**
 * Starts programs in a mount namespace without the cgroup v2 tree of a hybrid host: crun refuses to work where it sees
 * both. The namespace is a slave of ours, so that it follows what is mounted and unmounted in shared mounts later.
 *
 * Elsewhere the kernel keeps what was mounted when the namespace was made; {@link Launcher.cover} makes a new one when
 * a container needs something that was mounted since. Processes in the old one stay there.
 */
export class Launcher implements Disposable {
  #namespace: Fd | undefined;

  /** Runs a synchronous task, such as a spawn, inside. */
  run<Result>(task: () => Result): Result {
    this.#namespace ??= makeNamespace();
    return inNamespace(this.#namespace, "mnt", task);
  }

  /** Makes sure that the directories, and all that is mounted below them, look inside as they do here. */
  cover(paths: readonly string[]): void {
    if (this.#namespace === undefined || paths.length === 0) return;
    const here = readMountinfo();
    const inside = this.run(() => readMountinfo());
    const same = paths.every((path) => view(path, here) === this.run(() => view(path, inside)));
    if (!same) this.#renew();
  }

  #renew(): void {
    const old = this.#namespace;
    this.#namespace = makeNamespace();
    old?.close();
  }

  [Symbol.dispose](): void {
    this.#namespace?.close();
    this.#namespace = undefined;
  }
}

function makeNamespace(): Fd {
  return createNamespace("mnt", () => {
    setPropagation("/", "slave", true);
    detachMount(UNIFIED);
  });
}

/** Which file a path is, and what is mounted below it; device numbers tell filesystems apart across namespaces. */
function view(path: string, mounts: readonly MountEntry[]): string {
  const below = findMounts(path, mounts).map(
    ({ major, minor, root, mountPoint }) => `${major}:${minor} ${root} ${mountPoint}`,
  );
  const stats = statSync(path, { throwIfNoEntry: false });
  return [stats === undefined ? "absent" : `${stats.dev} ${stats.ino}`, ...below].join("\n");
}
