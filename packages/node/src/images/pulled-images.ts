import { readFile } from "node:fs/promises";
import { type Clock, systemCode, writeFileAtomic } from "@boxship/base";
import type { Cri } from "@boxship/cri";

export interface PulledImagesOptions {
  readonly cri: Pick<Cri, "imageStatus" | "listContainers" | "removeImage">;
  readonly clock: Clock;
  /** Where they are written down. */
  readonly path: string;
}

/** Younger ones may be about to be used. */
const LEAST_AGE_MS = 2 * 60_000;

/**
 * The images that were pulled for pods, by the names that pods call them. Only those are ever collected: what somebody built or
 * pulled himself is his, though pods use it.
 */
export class PulledImages {
  readonly #options: PulledImagesOptions;
  /** When each was used last; milliseconds since the epoch. */
  #used: Map<string, number> | undefined;

  constructor(options: PulledImagesOptions) {
    this.#options = options;
  }

  /** Durable when it resolves. */
  async pulled(image: string): Promise<void> {
    const used = await this.#load();
    const isNew = !used.has(image);
    used.set(image, this.#options.clock.now());
    if (isNew) await this.#save(used);
  }

  /** A container is made from it. */
  async touch(image: string): Promise<void> {
    const used = await this.#load();
    if (used.has(image)) used.set(image, this.#options.clock.now());
  }

  /**
   * Removes those that no pod has a container of, the one that was unused for longest first.
   *
   * @param enough asked after each; @returns whether any was removed
   */
  async collect(enough: () => Promise<boolean>): Promise<boolean> {
    const { cri, clock } = this.#options;
    const used = await this.#load();
    const { containers } = await cri.listContainers({});
    const inUse = new Set(containers.flatMap(({ image, imageRef }) => [image?.image ?? "", imageRef]));
    let removed = false;
    for (const [image, at] of [...used].sort(([, a], [, b]) => a - b)) {
      const age = clock.now() - at;
      // One of the future was used before the clock was set back.
      if (age >= 0 && age < LEAST_AGE_MS) continue;
      const { image: found } = await cri.imageStatus({ image: { image } });
      if (found !== undefined && (inUse.has(found.id) || inUse.has(image))) continue;
      if (found !== undefined) await cri.removeImage({ image: { image } });
      used.delete(image);
      await this.#save(used);
      if (found === undefined) continue;
      removed = true;
      if (await enough()) break;
    }
    return removed;
  }

  async #load(): Promise<Map<string, number>> {
    if (this.#used !== undefined) return this.#used;
    try {
      const entries = JSON.parse(await readFile(this.#options.path, "utf8")) as [string, number][];
      this.#used ??= new Map(entries);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      this.#used ??= new Map();
    }
    return this.#used;
  }

  async #save(used: ReadonlyMap<string, number>): Promise<void> {
    await writeFileAtomic(this.#options.path, JSON.stringify([...used]));
  }
}
