import { join } from "node:path";
import { NotFound } from "@boxship/base/errors";
import type { LayerInfo } from "../contract.ts";
import { layerDirectoryName } from "./record.ts";

/** A layer that may be built upon before it is committed. */
export interface ExposedLayer {
  readonly layer: LayerInfo;
  readonly content: string;
  /** Settles with the commit. */
  readonly settled: Promise<void>;
}

/** The committed layers, in memory; the directories are the truth. */
export class LayerTable {
  readonly #directory: string;
  readonly #layers = new Map<string, LayerInfo>();
  /** By chain id, how many layers lie directly on it. */
  readonly #children = new Map<string, number>();
  /** Layers that are whole and not durable yet, with where they lie and when that ends. */
  readonly #exposed = new Map<string, ExposedLayer>();

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

  /** @returns false when the layer is there, or exposed by another, already */
  expose(exposed: ExposedLayer): boolean {
    const { chainId } = exposed.layer;
    if (this.#layers.has(chainId) || this.#exposed.has(chainId)) return false;
    this.#exposed.set(chainId, exposed);
    return true;
  }

  exposed(chainId: string): ExposedLayer | undefined {
    return this.#exposed.get(chainId);
  }

  /** An exposed layer lies where it will stay. */
  moved(chainId: string): void {
    const exposed = this.#exposed.get(chainId);
    if (exposed !== undefined) this.#exposed.set(chainId, { ...exposed, content: this.#placeOf(chainId) });
  }

  conceal(chainId: string): void {
    this.#exposed.delete(chainId);
  }

  list(): readonly LayerInfo[] {
    return [...this.#layers.values()];
  }

  hasChildren(chainId: string): boolean {
    return this.#children.has(chainId);
  }

  /** The layer and all below it, topmost first; undefined when one is not committed. */
  chain(chainId: string): readonly LayerInfo[] | undefined {
    return this.#chain(chainId, (id) => this.#layers.get(id));
  }

  #chain(chainId: string, find: (id: string) => LayerInfo | undefined): readonly LayerInfo[] | undefined {
    const chain: LayerInfo[] = [];
    for (let id: string | undefined = chainId; id !== undefined; ) {
      const layer = find(id);
      // A record cannot name itself as an ancestor: its chain id is a digest over theirs.
      if (layer === undefined || chain.length > this.#layers.size + this.#exposed.size) return undefined;
      chain.push(layer);
      id = layer.parentChainId;
    }
    return chain;
  }

  /** The layer and all below it, exposed ones too, as directories, topmost first. Throws `NotFound`. */
  directories(chainId: string): readonly string[] {
    const chain = this.#chain(chainId, (id) => this.#layers.get(id) ?? this.#exposed.get(id)?.layer);
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
    const exposed = this.#layers.has(chainId) ? undefined : this.#exposed.get(chainId);
    return exposed?.content ?? this.#placeOf(chainId);
  }

  #placeOf(chainId: string): string {
    return join(this.directoryOf(chainId), "diff");
  }
}
