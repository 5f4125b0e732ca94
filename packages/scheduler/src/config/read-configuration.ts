import { isObject, type Json } from "@boxship/api";
import { InvalidArgument, Unsupported } from "@boxship/base";
import type { Extender } from "../extenders/extender.ts";
import type { Plugin } from "../plugin.ts";
import { defaultProfile, type Profile } from "../profile.ts";
import { Fields } from "./fields.ts";
import { CONFIGURABLE } from "./plugin-args.ts";
import { readExtenders } from "./read-extenders.ts";

/** What a configuration file says. */
export interface SchedulerConfiguration {
  /** At least one. */
  readonly profiles: readonly Profile[];
  readonly extenders: readonly Extender[];
  /** Milliseconds between tries of one pod: the first wait, and the longest. */
  readonly backoff: { readonly first: number; readonly most: number };
}

const API_VERSION = "kubescheduler.config.k8s.io/v1";
const KIND = "KubeSchedulerConfiguration";
/** What upstream calls plugins and is always here. */
const FIXED = ["PrioritySort", "DefaultBinder"];
const PREEMPTION = "DefaultPreemption";
/** Points at which plugins are asked here. Preparing belongs to what it prepares for. */
const POINTS = ["multiPoint", "preEnqueue", "filter", "postFilter", "score"] as const;

type Point = (typeof POINTS)[number];

/**
 * Reads a `KubeSchedulerConfiguration`, v1.
 *
 * @throws InvalidArgument, Unsupported naming the field: nothing is ignored
 */
export function readConfiguration(document: Json): SchedulerConfiguration {
  const known = ["apiVersion", "kind", "profiles", "percentageOfNodesToScore", "leaderElection"];
  const fields = new Fields(document, "", [...known, "podInitialBackoffSeconds", "podMaxBackoffSeconds", "extenders"]);
  if (fields.text("apiVersion") !== API_VERSION || fields.text("kind") !== KIND) {
    throw new InvalidArgument(`a scheduler's configuration is a ${KIND} of ${API_VERSION}`);
  }
  if (fields.below("leaderElection", ["leaderElect"]).flag("leaderElect") === true) {
    throw new Unsupported("leaderElection.leaderElect: a cluster has one scheduler, which nobody elects");
  }
  const share = fields.number("percentageOfNodesToScore", 0, 100);
  const { extenders, ignored } = readExtenders(fields.list("extenders"));
  const given =
    fields.list("profiles").length === 0 && ignored.length > 0
      ? [{ value: {}, at: "profiles[0]" }]
      : fields.list("profiles");
  const profiles =
    given.length === 0
      ? [withShare(defaultProfile, share)]
      : given.map(({ value, at }) => profileOf(value, at, share, ignored));
  const names = profiles.map(({ schedulerName }) => schedulerName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidArgument(`profiles: ${JSON.stringify(twice)} is named twice`);
  const first = fields.number("podInitialBackoffSeconds", 1, 86_400) ?? 1;
  const most = fields.number("podMaxBackoffSeconds", 1, 86_400) ?? 10;
  if (most < first)
    throw new InvalidArgument("podMaxBackoffSeconds must be greater than or equal to podInitialBackoffSeconds");
  return { profiles, extenders, backoff: { first: first * 1000, most: most * 1000 } };
}

/** @param share of the nodes, in percent, that are enough; 0: by the cluster's size */
function withShare(profile: Profile, share: number | undefined): Profile {
  if (share === undefined || share === 0) return profile;
  const nodesToFind = (nodes: number): number =>
    nodes <= FEW_NODES ? nodes : Math.max(Math.floor((nodes * share) / 100), FEW_NODES);
  return { ...profile, nodesToFind };
}

const FEW_NODES = 100;

interface Choice {
  readonly enabled: readonly { readonly name: string; readonly weight?: number }[];
  readonly disabled: ReadonlySet<string>;
}

function profileOf(value: Json, at: string, share: number | undefined, ignored: readonly string[]): Profile {
  const fields = new Fields(value, at, ["schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"]);
  const schedulerName = fields.text("schedulerName") ?? "default-scheduler";
  if (schedulerName === "") throw new InvalidArgument(`${fields.path("schedulerName")} is empty`);
  const { plugins, preemption } = configured(fields, ignored);
  const choices = choicesOf(fields);
  const isOn = (point: Point, name: string): boolean => {
    const { enabled, disabled } = choices[point];
    if (enabled.some((one) => one.name === name)) return true;
    if (disabled.has("*") || disabled.has(name)) return false;
    if (point !== "multiPoint") return isOn("multiPoint", name);
    return true;
  };
  const named = [...choices.multiPoint.enabled, ...choices.score.enabled];
  const weights: Record<string, number> = {};
  const chosen: Plugin[] = [];
  for (const plugin of plugins) {
    const { name } = plugin;
    const kept: Plugin = { ...plugin };
    if (!isOn("preEnqueue", name)) delete kept.gate;
    if (!isOn("filter", name)) delete kept.filter;
    if (!isOn("score", name)) delete kept.score;
    if ("gate" in kept || "filter" in kept || "score" in kept) chosen.push(kept);
    const weight = named.findLast((one) => one.name === name)?.weight;
    const usual = defaultProfile.weights[name];
    if ("score" in kept) weights[name] = weight ?? usual ?? 1;
  }
  const preempts = isOn("postFilter", PREEMPTION);
  const profile: Profile = { schedulerName, plugins: chosen, weights, preemption: { ...preemption, isOff: !preempts } };
  return withShare(profile, fields.number("percentageOfNodesToScore", 0, 100) ?? share);
}

/** The plugins with their arguments, before any is chosen. */
function configured(fields: Fields, ignored: readonly string[]) {
  const args = new Map<string, { readonly value: Json | undefined; readonly at: string }>();
  for (const { value, at } of fields.list("pluginConfig")) {
    const one = new Fields(value, at, ["name", "args"]);
    const name = one.text("name") ?? "";
    if (args.has(name)) throw new InvalidArgument(`${at}: the arguments of ${JSON.stringify(name)} are given twice`);
    if (name !== PREEMPTION && CONFIGURABLE[name] === undefined) {
      throw new Unsupported(`${at}: arguments of plugin ${JSON.stringify(name)} are not supported`, {
        remedy: `those of ${[...Object.keys(CONFIGURABLE), PREEMPTION].join(", ")} are`,
      });
    }
    args.set(name, { value: one.get("args"), at: one.path("args") });
  }
  const plugins = defaultProfile.plugins.map((plugin) => {
    const given = args.get(plugin.name);
    if (plugin.name === "NodeResourcesFit" && ignored.length > 0) return ignoring(ignored, given);
    return given === undefined ? plugin : (CONFIGURABLE[plugin.name]?.(given.value, given.at) ?? plugin);
  });
  const given = args.get(PREEMPTION);
  const known = ["apiVersion", "kind", "minCandidateNodesPercentage", "minCandidateNodesAbsolute"];
  const candidates = new Fields(given?.value, given?.at ?? "", known);
  const percent = candidates.number("minCandidateNodesPercentage", 0, 100);
  const least = candidates.number("minCandidateNodesAbsolute", 0, 2 ** 31 - 1);
  const preemption = {
    ...(percent === undefined ? {} : { candidatePercent: percent }),
    ...(least === undefined ? {} : { leastCandidates: least }),
  };
  return { plugins, preemption };
}

/** Resources that extenders see to are not counted here. */
function ignoring(
  ignored: readonly string[],
  given: { readonly value: Json | undefined; readonly at: string } | undefined,
): Plugin {
  const value = isObject(given?.value) ? given.value : {};
  const named = Array.isArray(value["ignoredResources"]) ? value["ignoredResources"] : [];
  const args = { ...value, ignoredResources: [...named, ...ignored] };
  return CONFIGURABLE.NodeResourcesFit(args, given?.at ?? "");
}

function choicesOf(fields: Fields): Readonly<Record<Point, Choice>> {
  const plugins = fields.below("plugins", POINTS);
  const choice = (point: Point): Choice => {
    const set = plugins.below(point, ["enabled", "disabled"]);
    const names = new Set<string>();
    const enabled = set.list("enabled").map(({ value, at }) => {
      const one = new Fields(value, at, ["name", "weight"]);
      const weight = one.number("weight", 0, 2 ** 31 - 1) ?? 0;
      const name = nameOf(one);
      if (names.has(name)) throw new InvalidArgument(`${at}: ${name} is enabled twice`);
      if (!extendsPoint(name, point)) throw new InvalidArgument(`${at}: ${name} does nothing at ${point}`);
      names.add(name);
      return { name, ...(weight === 0 ? {} : { weight }) };
    });
    const disabled = set.list("disabled").map(({ value, at }) => {
      const one = new Fields(value, at, ["name", "weight"]);
      const name = one.text("name") === "*" ? "*" : nameOf(one);
      if (FIXED.includes(name)) throw new Unsupported(`${at}: ${name} cannot be disabled`);
      return name;
    });
    return { enabled, disabled: new Set(disabled) };
  };
  return {
    multiPoint: choice("multiPoint"),
    preEnqueue: choice("preEnqueue"),
    filter: choice("filter"),
    postFilter: choice("postFilter"),
    score: choice("score"),
  };
}

const PARTS = { preEnqueue: "gate", filter: "filter", score: "score" } as const;

/** Whether a plugin has something to do at a point. */
function extendsPoint(name: string, point: Point): boolean {
  if (point === "multiPoint") return true;
  if (name === PREEMPTION) return point === "postFilter" || point === "preEnqueue";
  return point !== "postFilter" && defaultProfile.plugins.some((one) => one.name === name && PARTS[point] in one);
}

function nameOf(fields: Fields): string {
  const name = fields.text("name") ?? "";
  const known = [...defaultProfile.plugins.map((one) => one.name), ...FIXED, PREEMPTION];
  if (known.includes(name)) return name;
  throw new InvalidArgument(`${fields.path("name")}: there is no plugin ${JSON.stringify(name)}`, {
    remedy: `there are ${known.join(", ")}`,
  });
}
