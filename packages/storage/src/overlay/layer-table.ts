import { join } from "node:path";
import { NotFound } from "@boxship/base/errors";
import type { LayerInfo } from "../contract.ts";
import { layerDirectoryName } from "./record.ts";

/** The committed layers, in memory; the directories are the truth. */
export class LayerTable {
  readonly #directory: string;
  readonly #layers = new Map<string, LayerInfo>();
  /** By chain id, how many layers lie directly on it. */
  readonly #children = new Map<string, number>();

  constructor(directory: string, layers: Iterable<LayerInfo>) {
    this.#directory = directory;
    for (const layer of layers) this.add(layer);
  }

  add(layer: LayerInfo): void {
    this.#layers.set(layer.chainId, layer);
    const { parentChainId } = layer;
    if (parentChainId !== undefined) this.#children.set(parentChainId, (this.#children.get(parentChainId) ?? 0) + 1);
  }

  delete(chainId: string): void {
    const parentChainId = this.#layers.get(chainId)?.parentChainId;
    this.#layers.delete(chainId);
    if (parentChainId === undefined) return;
    const left = (this.#children.get(parentChainId) ?? 1) - 1;
    if (left === 0) this.#children.delete(parentChainId);
    else this.#children.set(parentChainId, left);
  }

  get(chainId: string): LayerInfo | undefined {
    return this.#layers.get(chainId);
  }

  list(): readonly LayerInfo[] {
    return [...this.#layers.values()];
  }

  hasChildren(chainId: string): boolean {
    return this.#children.has(chainId);
  }

  /** The layer and all below it, topmost first; undefined when one is missing. */
  chain(chainId: string): readonly LayerInfo[] | undefined {
    const chain: LayerInfo[] = [];
    for (let id: string | undefined = chainId; id !== undefined; ) {
      const layer = this.#layers.get(id);
      // A record cannot name itself as an ancestor: its chain id is a digest over theirs.
      if (layer === undefined || chain.length > this.#layers.size) return undefined;
      chain.push(layer);
      id = layer.parentChainId;
    }
    return chain;
  }

  /** As {@link chain}, as directories. Throws `NotFound`. */
  directories(chainId: string): readonly string[] {
    const chain = this.chain(chainId);
    if (chain === undefined) {
      throw new NotFound(`layer ${chainId} or one below it is not there`, {
        subject: { kind: "layer", name: chainId },
        remedy: "pull the image again",
      });
    }
    return chain.map((layer) => this.contentOf(layer.chainId));
  }

  /** Where a layer's record and content lie. */
  directoryOf(chainId: string): string {
    return join(this.#directory, layerDirectoryName(chainId));
  }

  /** Where a layer's files lie. */
  contentOf(chainId: string): string {
    return join(this.directoryOf(chainId), "diff");
  }
}
