import type { EngineEvent } from "@boxship/engine";
import type { Filters } from "../../http/filters.ts";

/** Filters of `GET /events`. Those for swarm objects are known, and match nothing here. */
export const EVENT_FILTERS = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
] as const;

const SWARM_ONLY = ["config", "node", "plugin", "secret", "service"] as const;

/** Whether an event is wanted. Values of one filter are alternatives, different filters must all agree. */
export function eventFilter(filters: Filters): (event: EngineEvent) => boolean {
  if (filters.isEmpty) return () => true;
  if (SWARM_ONLY.some((key) => filters.has(key))) return () => false;
  return (event) =>
    filters.any("type", (type) => type === event.type) &&
    filters.any("event", (action) => matchesAction(event.action, action)) &&
    filters.any("scope", (scope) => scope === "local") &&
    (["container", "network", "volume", "daemon"] as const).every((key) =>
      filters.any(key, (name) => event.type === key && isAbout(event, name)),
    ) &&
    filters.any("image", (name) => isOfImage(event, name)) &&
    (!filters.has("label") || filters.labels(event.actor.attributes));
}

/** `exec_create` also means `exec_create: sh -c …`. */
function matchesAction(action: string, wanted: string): boolean {
  return action === wanted || action.startsWith(`${wanted}: `) || action === `${wanted}:`;
}

function isAbout(event: EngineEvent, name: string): boolean {
  const { id, attributes } = event.actor;
  return id.startsWith(name) || attributes["name"] === name.replace(/^\//, "");
}

function isOfImage(event: EngineEvent, name: string): boolean {
  const { id, attributes } = event.actor;
  const image = event.type === "image" ? (attributes["name"] ?? id) : attributes["image"];
  if (image === undefined) return false;
  return id === name || image === name || withoutTag(image) === name;
}

function withoutTag(image: string): string {
  return image.replace(/@.*$/, "").replace(/:[^:/]+$/, "");
}
