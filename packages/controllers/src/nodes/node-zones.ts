import { conditionOf } from "../shared/pods.ts";
import type { Node } from "../types/sets.ts";

/** Pods are thrown out of one node of a zone in so long. */
export const EXECUTE_EVERY_MS = 10_000;
/** Of a large zone of which most is silent: it is rather the network, and is gone about slowly. */
const SLOWLY_EVERY_MS = 100_000;
/** A zone of more nodes is large. */
const LARGE = 50;
/** From this part of its nodes on, and more than so many, a zone counts as disturbed. */
const DISTURBED = { part: 0.55, moreThan: 2 } as const;
/** Nodes that have it do not count. */
const EXCLUDED = "node.kubernetes.io/exclude-disruption";
const LABELS = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"] as const;

interface Zone {
  well: number;
  unwell: number;
  /** Monotonic milliseconds at which pods were last thrown out of one of its nodes. */
  executedAt: number;
}

const zoneOf = ({ metadata: { labels = {} } }: Node): string => LABELS.map((key) => labels[key] ?? "").join(":");

/** How many nodes of each zone are well, kept up to date as they change: by that it is decided how fast they are given up. */
export class NodeZones {
  readonly #zones = new Map<string, Zone>();
  readonly #nodes = new Map<string, { readonly zone: string; readonly isWell: boolean }>();

  set(node: Node): void {
    const { name = "", labels = {} } = node.metadata;
    if (labels[EXCLUDED] !== undefined) {
      this.delete(name);
      return;
    }
    const [zone, isWell] = [zoneOf(node), conditionOf(node.status, "Ready")?.status === "True"];
    const known = this.#nodes.get(name);
    if (known?.zone === zone && known.isWell === isWell) return;
    this.delete(name);
    this.#nodes.set(name, { zone, isWell });
    this.#zone(zone)[isWell ? "well" : "unwell"]++;
  }

  #zone(name: string): Zone {
    const zone = this.#zones.get(name) ?? { well: 0, unwell: 0, executedAt: Number.NEGATIVE_INFINITY };
    this.#zones.set(name, zone);
    return zone;
  }

  delete(name: string): void {
    const known = this.#nodes.get(name);
    if (known === undefined) return;
    this.#nodes.delete(name);
    const counts = this.#zones.get(known.zone);
    if (counts !== undefined) counts[known.isWell ? "well" : "unwell"]--;
  }

  /** Where no node of any zone is well, something else is wrong, and none is given up. */
  get isAnyWell(): boolean {
    for (const { well } of this.#zones.values()) if (well > 0) return true;
    return false;
  }

  /**
   * Milliseconds until pods may be thrown out of this node, as far as its zone is concerned. Where no node of any zone is
   * well nothing is done, nor in a small zone of which most is silent; one that is silent as a whole is gone.
   *
   * @param now monotonic milliseconds
   */
  patience(node: Node, now: number): number {
    if (!this.isAnyWell) return EXECUTE_EVERY_MS;
    const zone = this.#zone(zoneOf(node));
    const { well, unwell, executedAt } = zone;
    const all = well + unwell;
    const isDisturbed = well > 0 && unwell > DISTURBED.moreThan && unwell / all >= DISTURBED.part;
    if (isDisturbed && all <= LARGE) return EXECUTE_EVERY_MS;
    return executedAt + (isDisturbed ? SLOWLY_EVERY_MS : EXECUTE_EVERY_MS) - now;
  }

  executed(node: Node, now: number): void {
    this.#zone(zoneOf(node)).executedAt = now;
  }
}
