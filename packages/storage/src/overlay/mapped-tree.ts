import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { detachMount, ensureSharedMount, isMountPoint, mountIdMapped, setPropagation } from "@boxship/kernel";
import type { SnapshotMapping } from "../contract.ts";

const PLACE = "mapped";

/**
 * The tree of all snapshots at a second place, where files have the owners that containers in a user namespace know. On the
 * disk they stay as they are, so that layers are shared by containers with and without such a namespace, and what a
 * container has written is read without translation.
 */
export class MappedTree implements Disposable {
  readonly #source: string;
  readonly #place: string;
  readonly #mapping: SnapshotMapping;

  /** @throws Unsupported where the file system does not do it */
  constructor(source: string, mapping: SnapshotMapping) {
    this.#source = source;
    this.#mapping = mapping;
    this.#place = join(source, PLACE);
    // Before anything is mounted below: it may put a mount over the tree.
    ensureSharedMount(source);
    mkdirSync(this.#place, { recursive: true, mode: 0o700 });
    // Of an earlier process; overlays keep what they need of it.
    if (isMountPoint(this.#place)) detachMount(this.#place);
    mountIdMapped({ source, target: this.#place, userNamespace: mapping.userNamespace });
    setPropagation(this.#place, "private");
  }

  /** Where a directory of the tree is seen with its other owners. */
  pathOf(path: string): string {
    return join(this.#place, path.slice(this.#source.length));
  }

  /** Lets everybody's root go through a directory, who must know the names in it. */
  static openToAll(directory: string): void {
    chmodSync(directory, 0o711);
  }

  /** Lets the containers' root go through a directory, and nobody else. */
  openWay(directory: string): void {
    chownSync(directory, 0, this.#mapping.root.gid);
  }

  /** The same for a file system that is mounted somewhere in the tree; the caller unmounts it. */
  mountOther(source: string, target: string): void {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    mountIdMapped({ source, target, userNamespace: this.#mapping.userNamespace });
  }

  [Symbol.dispose](): void {
    detachMount(this.#place);
  }
}
