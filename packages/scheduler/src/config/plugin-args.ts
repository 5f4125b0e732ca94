import {
  compileNodeSelector,
  compileNodeTerm,
  type Json,
  type NodeSelector,
  type NodeSelectorTerm,
} from "@boxship/api";
import { InvalidArgument } from "@boxship/base";
import type { Plugin } from "../plugin.ts";
import { interPodAffinityBy } from "../plugins/inter-pod-affinity.ts";
import { nodeAffinityBy } from "../plugins/node-plugins.ts";
import { podTopologySpreadBy, SYSTEM_CONSTRAINTS } from "../plugins/pod-topology-spread.ts";
import { nodeResourcesBalancedAllocationBy, nodeResourcesFitBy } from "../plugins/resource-plugins.ts";
import {
  byShape,
  CPU_AND_MEMORY,
  leastAllocated,
  mostAllocated,
  scoreBy,
  type WeightedResource,
} from "../plugins/resource-strategies.ts";
import type { TopologySpreadConstraint } from "../pod/types.ts";
import { Fields } from "./fields.ts";

/** Plugins that take arguments: by them, in place of the default ones. */
type Configure = (args: Json | undefined, at: string) => Plugin;

export const CONFIGURABLE: Readonly<Record<string, Configure>> & { readonly NodeResourcesFit: Configure } = {
  InterPodAffinity(args, at) {
    const fields = argsOf(args, at, ["hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"]);
    return interPodAffinityBy({
      requiredWeight: fields.number("hardPodAffinityWeight", 0, 100) ?? 1,
      ignoresPreferredOfOthers: fields.flag("ignorePreferredTermsOfExistingPods") ?? false,
    });
  },
  NodeAffinity(args, at) {
    const fields = argsOf(args, at, ["addedAffinity"]);
    const added = fields.below("addedAffinity", [REQUIRED, PREFERRED]);
    const required = added.get(REQUIRED) as NodeSelector | undefined;
    const preferred = added.list(PREFERRED).map(({ value, at: place }) => {
      const term = new Fields(value, place, ["weight", "preference"]);
      const preference = (term.get("preference") ?? {}) as unknown as NodeSelectorTerm;
      return { match: compileNodeTerm(preference), weight: term.number("weight", 1, 100) ?? 1 };
    });
    return nodeAffinityBy({
      ...(required === undefined ? {} : { required: compileNodeSelector(required) }),
      preferred,
    });
  },
  NodeResourcesBalancedAllocation(args, at) {
    const fields = argsOf(args, at, ["resources"]);
    const resources = resourcesOf(fields, "resources");
    return nodeResourcesBalancedAllocationBy(resources.map(({ name }) => name));
  },
  NodeResourcesFit(args, at) {
    const fields = argsOf(args, at, ["ignoredResources", "ignoredResourceGroups", "scoringStrategy"]);
    const names = new Set(fields.texts("ignoredResources"));
    const groups = new Set(fields.texts("ignoredResourceGroups"));
    const strategy = fields.below("scoringStrategy", ["type", "resources", "requestedToCapacityRatio"]);
    const type = strategy.oneOf("type", ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] as const);
    const resources = resourcesOf(strategy, "resources");
    const score =
      type === "RequestedToCapacityRatio"
        ? scoreBy(shapeOf(strategy), resources, false)
        : type === "MostAllocated"
          ? scoreBy(mostAllocated, resources, false)
          : scoreBy(leastAllocated, resources, true);
    const isIgnored = (name: string): boolean => names.has(name) || groups.has(name.split("/")[0] ?? "");
    return nodeResourcesFitBy({ score, ...(names.size + groups.size === 0 ? {} : { isIgnored }) });
  },
  PodTopologySpread(args, at) {
    const fields = argsOf(args, at, ["defaultConstraints", "defaultingType"]);
    const type = fields.oneOf("defaultingType", ["System", "List"] as const) ?? "System";
    const given = fields.list("defaultConstraints");
    if (type === "System") {
      if (given.length === 0) return podTopologySpreadBy({ defaults: SYSTEM_CONSTRAINTS, isLenient: true });
      const words = "when .defaultingType is System, no constraints are to be given";
      throw new InvalidArgument(`${fields.path("defaultConstraints")}: ${words}`);
    }
    return podTopologySpreadBy({
      defaults: given.map(({ value, at: place }) => constraintOf(value, place)),
      isLenient: false,
    });
  },
};

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

/** Of any plugin: the kind may be said. */
const argsOf = (args: Json | undefined, at: string, known: readonly string[]): Fields =>
  new Fields(args, at, ["apiVersion", "kind", ...known]);

function resourcesOf(fields: Fields, name: string): readonly WeightedResource[] {
  const given = fields.list(name).map(({ value, at }) => {
    const resource = new Fields(value, at, ["name", "weight"]);
    const named = resource.text("name") ?? "";
    if (named === "") throw new InvalidArgument(`${resource.path("name")} is missing`);
    return { name: named, weight: resource.number("weight", 1, 100) ?? 1 };
  });
  return given.length === 0 ? CPU_AND_MEMORY : given;
}

function shapeOf(strategy: Fields) {
  const ratio = strategy.below("requestedToCapacityRatio", ["shape"]);
  const points = ratio.list("shape").map(({ value, at }) => {
    const point = new Fields(value, at, ["utilization", "score"]);
    return { utilization: point.number("utilization", 0, 100) ?? 0, score: point.number("score", 0, 10) ?? 0 };
  });
  if (points.length === 0) throw new InvalidArgument(`${ratio.path("shape")}: at least one point must be specified`);
  for (const [index, { utilization }] of points.entries()) {
    if (index > 0 && utilization <= (points[index - 1]?.utilization ?? 0)) {
      throw new InvalidArgument(
        `${ratio.path("shape")}[${index}]: utilization values must be sorted in increasing order`,
      );
    }
  }
  return byShape(points);
}

function constraintOf(value: Json, at: string): TopologySpreadConstraint {
  const fields = new Fields(value, at, ["maxSkew", "topologyKey", "whenUnsatisfiable"]);
  const whenUnsatisfiable = fields.oneOf("whenUnsatisfiable", ["DoNotSchedule", "ScheduleAnyway"] as const);
  const topologyKey = fields.text("topologyKey") ?? "";
  const maxSkew = fields.number("maxSkew", 1, 2 ** 31 - 1);
  if (whenUnsatisfiable === undefined || topologyKey === "" || maxSkew === undefined) {
    throw new InvalidArgument(`${at} needs maxSkew, topologyKey and whenUnsatisfiable`);
  }
  return { maxSkew, topologyKey, whenUnsatisfiable };
}
