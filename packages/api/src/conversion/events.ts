import type { Json } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";

/** Fields of `v1` by what `events.k8s.io/v1` calls them. */
const NAMES: readonly (readonly [core: string, events: string])[] = [
  ["involvedObject", "regarding"],
  ["source", "deprecatedSource"],
  ["message", "note"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];

const TO_EVENTS = new Map(NAMES);
const TO_CORE = new Map(NAMES.map(([core, events]) => [events, core]));

/** Empty, `v1` alone has these. */
const LEFT_OUT = ["reportingController", "reportingInstance"];

export const eventToEvents = (event: KubeObject): KubeObject => {
  const converted = renamed(event, TO_EVENTS, "events.k8s.io/v1");
  // Never left out there, whoever made the event.
  converted["eventTime"] ??= null;
  for (const field of LEFT_OUT) if (converted[field] === "") delete converted[field];
  return converted;
};

export const eventToCore = (event: KubeObject): KubeObject => ({
  reportingComponent: "",
  reportingInstance: "",
  ...renamed(event, TO_CORE, "v1"),
});

function renamed(event: KubeObject, names: ReadonlyMap<string, string>, apiVersion: string): KubeObject {
  const converted: Record<string, Json | undefined> = {};
  for (const [field, value] of Object.entries(event)) converted[names.get(field) ?? field] = value;
  return { ...converted, apiVersion, kind: event.kind, metadata: event.metadata };
}
