import { randomBytes } from "node:crypto";
import { chmod, mkdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { CurrentDirectory, descriptorPath, OpenFlag, openat } from "@boxship/kernel";
import { assembleTreeAway, rememberTreeAway, writeDifferenceAway } from "../storage-pool.ts";
import type { Trash } from "./trash.ts";

const TREE = "merged";
const MEMORY = "memory.json";
/** Trees of finished containers that wait for the next one on the same layers. */
const MOST_SPARES = 3;

/** Paths by which directories are reached wherever they are moved to: layers do so when they are committed. */
export function holdDirectories(paths: readonly string[], open: DisposableStack): readonly string[] {
  const flags = OpenFlag.Path | OpenFlag.Directory;
  // The dot: links are not followed where the path ends.
  return paths.map((path) => `${descriptorPath(open.use(openat(CurrentDirectory, path, flags)))}/.`);
}

/**
 * File systems of containers where nothing can be mounted: each is a copy of all that its layers show, and what was
 * changed is found out afterwards. A chain of steps, each on the layer of the one before, goes on in the same tree.
 */
export class PlainTrees {
  /** By chain id. */
  readonly #spares = new Map<string, string>();
  readonly #directory: string;
  readonly #trash: Trash;

  /** @param directory for trees that wait; thrown away at the next open */
  constructor(directory: string, trash: Trash) {
    this.#directory = directory;
    this.#trash = trash;
  }

  /** Fills a container's own directory. @param lowers topmost first */
  async fill(directory: string, chainId: string | undefined, lowers: readonly string[]): Promise<void> {
    // Before anything is waited for: they may be moved meanwhile.
    using open = new DisposableStack();
    const held = holdDirectories(lowers, open);
    const spare = chainId === undefined ? undefined : this.#spares.get(chainId);
    if (chainId !== undefined && spare !== undefined) {
      this.#spares.delete(chainId);
      await rmdir(join(directory, TREE));
      for (const name of [TREE, MEMORY]) await rename(join(spare, name), join(directory, name));
      await rmdir(spare);
      return;
    }
    await chmod(join(directory, TREE), 0o755);
    await assembleTreeAway(held, join(directory, TREE));
    await rememberTreeAway(join(directory, TREE), join(directory, MEMORY));
  }

  /** Writes what was changed into the writable layer, anew. */
  async settle(directory: string, upper: string, lowers: readonly string[]): Promise<void> {
    using open = new DisposableStack();
    const held = holdDirectories(lowers, open);
    await rm(upper, { recursive: true, force: true });
    await mkdir(upper, { mode: 0o755 });
    await writeDifferenceAway({
      tree: join(directory, TREE),
      lowers: held,
      target: upper,
      memory: join(directory, MEMORY),
    });
  }

  /**
   * Keeps the tree of a container that is about to be removed.
   *
   * @param chainId of the layers that it is equal to
   * @param changed since it was filled
   */
  async keep(directory: string, chainId: string, changed: boolean): Promise<void> {
    if (this.#spares.has(chainId)) return;
    if (changed) await rememberTreeAway(join(directory, TREE), join(directory, MEMORY));
    const spare = join(this.#directory, `tree-${randomBytes(8).toString("hex")}`);
    await mkdir(spare, { mode: 0o700 });
    for (const name of [TREE, MEMORY]) await rename(join(directory, name), join(spare, name));
    this.#spares.set(chainId, spare);
    const [oldest] = this.#spares.keys();
    if (this.#spares.size > MOST_SPARES && oldest !== undefined) await this.#drop(oldest);
  }

  /** Drops the trees of layers that are gone. */
  async sweep(isThere: (chainId: string) => boolean): Promise<void> {
    for (const chainId of [...this.#spares.keys()]) if (!isThere(chainId)) await this.#drop(chainId);
  }

  async #drop(chainId: string): Promise<void> {
    const spare = this.#spares.get(chainId);
    this.#spares.delete(chainId);
    if (spare !== undefined) await this.#trash.take(spare);
  }
}
