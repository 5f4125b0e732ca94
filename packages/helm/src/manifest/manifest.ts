import { isObject, type Json, type JsonObject, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { errorMessage, InvalidArgument } from "@boxship/base/errors";
import { sortByKind } from "./kind-order.ts";

/** One object of a rendered chart. */
export interface Manifest {
  /** The template that it is from. */
  readonly source: string;
  readonly kind: string;
  readonly name: string;
  readonly content: string;
  readonly object: JsonObject;
}

export const HOOK_EVENTS = [
  "pre-install",
  "post-install",
  "pre-delete",
  "post-delete",
  "pre-upgrade",
  "post-upgrade",
  "pre-rollback",
  "post-rollback",
  "test",
] as const;

export type HookEvent = (typeof HOOK_EVENTS)[number];

export const DELETE_POLICIES = ["before-hook-creation", "hook-succeeded", "hook-failed"] as const;

export type DeletePolicy = (typeof DELETE_POLICIES)[number];

export const LOG_POLICIES = ["hook-succeeded", "hook-failed"] as const;

export type LogPolicy = (typeof LOG_POLICIES)[number];

/** An object that is made beside the release, at a point in its life. */
export interface Hook extends Manifest {
  readonly events: readonly HookEvent[];
  readonly weight: number;
  readonly deletePolicies: readonly DeletePolicy[];
  /** When what its containers have written is shown. */
  readonly logPolicies: readonly LogPolicy[];
}

export interface Sorted {
  /** In the order in which they are made. */
  readonly manifests: readonly Manifest[];
  readonly hooks: readonly Hook[];
}

/** The documents of a text, without those that hold nothing. */
export function splitManifests(text: string): readonly string[] {
  return text
    .trim()
    .split(/^---/m)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/**
 * Takes rendered templates apart into objects and hooks.
 *
 * @param rendered texts by name
 * @throws InvalidArgument that names the template whose text is no object
 */
export function sortManifests(rendered: ReadonlyMap<string, string>): Sorted {
  const manifests: Manifest[] = [];
  const hooks: Hook[] = [];
  for (const source of [...rendered.keys()].sort()) {
    for (const content of splitManifests(rendered.get(source) ?? "")) {
      const manifest = manifestOf(source, content);
      if (manifest === undefined) continue;
      const events = textAt(manifest.object, "metadata", "annotations", "helm.sh/hook");
      if (events === "") manifests.push(manifest);
      else hooks.push(...hookOf(manifest, events));
    }
  }
  return { manifests: sortByKind(manifests, "install"), hooks: sortByKind(hooks, "install") };
}

function manifestOf(source: string, content: string): Manifest | undefined {
  let object: Json;
  try {
    object = loadYaml(content);
  } catch (error) {
    throw new InvalidArgument(
      `YAML parse error on ${source}: ${errorMessage(error)}${lineOf(content, errorMessage(error))}`,
      {
        cause: error,
      },
    );
  }
  // A document of comments is none.
  if (object === null) return undefined;
  if (!isObject(object)) {
    throw new InvalidArgument(
      `YAML parse error on ${source}: it holds no object but ${JSON.stringify(object).slice(0, 80)}`,
    );
  }
  const found: JsonObject = object;
  return { source, content, object: found, kind: textAt(found, "kind"), name: textAt(found, "metadata", "name") };
}

/** The line that a message means. */
function lineOf(content: string, message: string): string {
  const line = /line (\d+)/.exec(message)?.[1];
  const text = line === undefined ? undefined : content.split("\n")[Number(line) - 1];
  return text === undefined ? "" : `\n  line ${line}: ${text.trim().slice(0, 200)}`;
}

function hookOf(manifest: Manifest, written: string): readonly Hook[] {
  const annotation = (name: string): readonly string[] =>
    textAt(manifest.object, "metadata", "annotations", name)
      .split(",")
      .map((word) => word.trim().toLowerCase())
      .filter((word) => word !== "");
  const words = written.split(",").map((word) => word.trim().toLowerCase());
  const events = words.map((word) => (word === "test-success" || word === "test-failure" ? "test" : word));
  // Helm leaves out what it does not know: such an object belongs to another tool.
  const known = HOOK_EVENTS.filter((event) => events.includes(event));
  if (known.length < new Set(events).size) return [];
  const weight = Number.parseInt(textAt(manifest.object, "metadata", "annotations", "helm.sh/hook-weight") || "0", 10);
  const policies = annotation("helm.sh/hook-delete-policy");
  const deletePolicies = DELETE_POLICIES.filter((one) => policies.includes(one));
  const logs = annotation("helm.sh/hook-output-log-policy");
  const logPolicies = LOG_POLICIES.filter((one) => logs.includes(one));
  return [{ ...manifest, events: known, weight: Number.isNaN(weight) ? 0 : weight, deletePolicies, logPolicies }];
}

/** Hooks of an event in the order in which they run: by weight, then as their kinds are made, then by name. */
export function hooksOf(hooks: readonly Hook[], event: HookEvent): readonly Hook[] {
  return sortByKind(
    hooks
      .filter(({ events }) => events.includes(event))
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    "install",
  ).toSorted((a, b) => a.weight - b.weight);
}
