import { KIND_ORDER } from "../config/transformer-config.ts";
import { BuildFailure } from "../failure.ts";
import type { SortOptions } from "../kustomization.ts";
import { type Gvk, gvkText, sameGvk } from "../target/gvk.ts";
import type { Resource } from "../target/resource.ts";
import type { ResourceMap } from "../target/resource-map.ts";

/** Puts resources into the order that was asked for. */
export function sortResources(map: ResourceMap, options: SortOptions): void {
  const { order = "", legacySortOptions } = options;
  if (order !== "fifo" && order !== "legacy") {
    throw new BuildFailure("the field 'sortOptions.order' must be one of [fifo, legacy]");
  }
  if (order === "fifo") {
    if (legacySortOptions === undefined) return;
    throw new BuildFailure(
      "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'",
    );
  }
  const first = legacySortOptions === undefined ? KIND_ORDER.first : (legacySortOptions.orderFirst ?? []);
  const last = legacySortOptions === undefined ? KIND_ORDER.last : (legacySortOptions.orderLast ?? []);
  const ranks = new Map([
    ...first.map((kind, at) => [kind, at - first.length] as const),
    ...last.map((kind, at) => [kind, at + 1] as const),
  ]);
  const keyed = map.resources.map((resource) => keyOf(resource, ranks));
  map.resources = keyed.sort(compare).map(({ resource }) => resource);
}

interface Keyed {
  readonly resource: Resource;
  readonly gvk: Gvk;
  readonly rank: number;
  readonly kind: string;
  readonly name: string;
}

function keyOf(resource: Resource, ranks: ReadonlyMap<string, number>): Keyed {
  const { gvk, name, namespace } = resource;
  return {
    resource,
    gvk,
    rank: ranks.get(gvk.kind) ?? 0,
    kind: `${gvk.group || "~G"}_${gvk.version || "~V"}_${gvk.kind || "~K"}`,
    name: `${gvkText(gvk)}|${namespace || "~X"}|${name || "~N"}`,
  };
}

function compare(left: Keyed, right: Keyed): number {
  if (sameGvk(left.gvk, right.gvk)) return compareTexts(left.name, right.name);
  if (left.rank !== right.rank) return left.rank - right.rank;
  const isNamespace = left.gvk.kind === "Namespace" && right.gvk.kind === "Namespace";
  // Namespaces of the core group come before those of others.
  const turned = isNamespace && (left.gvk.group === "" || right.gvk.group === "");
  return turned ? compareTexts(right.kind, left.kind) : compareTexts(left.kind, right.kind);
}

const compareTexts = (left: string, right: string): number => (left < right ? -1 : Number(left > right));
