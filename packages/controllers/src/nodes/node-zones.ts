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
    const { name = "" } = node.metadata;
    const [zone, isWell] = [zoneOf(node), conditionOf(node.status, "Ready")?.status === "True"];
    const known = this.#nodes.get(name);
    if (known?.zone === zone && known.isWell === isWell) return;
    this.delete(name);
    this.#nodes.set(name, { zone, isWell });
    const counts = this.#zones.get(zone) ?? { well: 0, unwell: 0, executedAt: Number.NEGATIVE_INFINITY };
    counts[isWell ? "well" : "unwell"]++;
    this.#zones.set(zone, counts);
  }

  delete(name: string): void {
    const known = this.#nodes.get(name);
    if (known === undefined) return;
    this.#nodes.delete(name);
    const counts = this.#zones.get(known.zone);
    if (counts !== undefined) counts[known.isWell ? "well" : "unwell"]--;
  }

  /**
   * Milliseconds until pods may be thrown out of this node, as far as its zone is concerned. Where no node of any zone is
   * well nothing is done, nor in a small zone of which most is silent; one that is silent as a whole is gone.
   *
   * @param now monotonic milliseconds
   */
  patience(node: Node, now: number): number {
    const zone = this.#zones.get(zoneOf(node));
    const isAnyWell = [...this.#zones.values()].some(({ well }) => well > 0);
    if (zone === undefined || !isAnyWell) return EXECUTE_EVERY_MS;
    const { well, unwell, executedAt } = zone;
    const all = well + unwell;
    const isDisturbed = well > 0 && unwell > DISTURBED.moreThan && unwell / all >= DISTURBED.part;
    if (isDisturbed && all <= LARGE) return EXECUTE_EVERY_MS;
    return executedAt + (isDisturbed ? SLOWLY_EVERY_MS : EXECUTE_EVERY_MS) - now;
  }

  executed(node: Node, now: number): void {
    const zone = this.#zones.get(zoneOf(node));
    if (zone !== undefined) zone.executedAt = now;
  }
}
