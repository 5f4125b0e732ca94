import { findMounts, LaunchNamespace, type MountEntry, parseMountsAround, readMountTable } from "@boxship/kernel";
import { isBelow } from "./layout.ts";

/** The cgroup v2 tree of a hybrid host; crun refuses to work where it sees both. */
const UNIFIED = "/sys/fs/cgroup/unified";
const SWEEP_EVERY = 64;

/**
 * Starts runtimes where they do not see the cgroup v2 tree of a hybrid host, in a mount namespace that follows what is
 * mounted in shared mounts later.
 *
 * Elsewhere a namespace keeps what was mounted when it was made; {@link Launcher.cover} makes a new one when a container
 * needs something that was mounted since. Processes in the old one stay there.
 */
export class Launcher implements Disposable {
  #namespace: LaunchNamespace | undefined;
  /** What is mounted in it, as last read: only what is shared changes there by itself. */
  #inside: string | undefined;
  #gone = 0;

  /** Runs a synchronous task, such as a spawn, inside. */
  run<Result>(task: () => Result): Result {
    return this.#open().run(task);
  }

  /**
   * Makes sure that the paths, and all that is mounted below them, look inside as they do here.
   *
   * @param paths free of links. They are not looked at: a file system that does not answer would hold everything up.
   */
  cover(paths: readonly string[]): void {
    if (this.#namespace === undefined || paths.length === 0) return;
    const here = view(paths, readMountTable());
    if (this.#inside !== undefined && view(paths, this.#inside) === here) return;
    this.#inside = this.run(() => readMountTable());
    if (view(paths, this.#inside) !== here) this[Symbol.dispose]();
  }

  /** One more container is gone: now and then what runtimes left in the hidden place is removed. */
  used(): void {
    if (++this.#gone % SWEEP_EVERY === 0) this.#namespace?.sweep();
  }

  #open(): LaunchNamespace {
    this.#namespace ??= new LaunchNamespace({ hidden: [UNIFIED] });
    return this.#namespace;
  }

  [Symbol.dispose](): void {
    this.#namespace?.[Symbol.dispose]();
    this.#namespace = undefined;
    this.#inside = undefined;
  }
}

/** The mount that each path lies on, and those below it; device numbers tell filesystems apart across namespaces. */
function view(paths: readonly string[], table: string): string {
  const mounts = parseMountsAround(paths, table);
  return paths
    .flatMap((path) => {
      const holder = mounts.findLast(({ mountPoint }) => isBelow(path, mountPoint));
      return [path, ...[...(holder === undefined ? [] : [holder]), ...findMounts(path, mounts)].map(identity)];
    })
    .join("\n");
}

const identity = ({ major, minor, root, mountPoint }: MountEntry): string => `${major}:${minor} ${root} ${mountPoint}`;
