import type { Conversion } from "../kind/kind.ts";
import type { KubeObject } from "../object/kube-object.ts";
import { definition } from "../schema/definitions.ts";
import { autoscalerToV1, autoscalerToV2 } from "./autoscalers.ts";
import { eventToCore, eventToEvents } from "./events.ts";

type Convert = (object: KubeObject) => KubeObject;

/** Kinds that are served in several groups or versions: how each is made from the other, and their definitions. */
const CONVERSIONS: Readonly<Record<string, Readonly<Record<string, readonly [definition: string, from: Convert]>>>> = {
  events: { v1: ["core.v1.Event", eventToCore], "events.k8s.io/v1": ["events.v1.Event", eventToEvents] },
  horizontalpodautoscalers: {
    "autoscaling/v1": ["autoscaling.v1.HorizontalPodAutoscaler", autoscalerToV1],
    "autoscaling/v2": ["autoscaling.v2.HorizontalPodAutoscaler", autoscalerToV2],
  },
};

const made = new Map<string, Conversion>();

/** @returns undefined for a built-in resource that has one version */
export function conversionOf({ resource }: { readonly resource: string }): Conversion | undefined {
  const versions = CONVERSIONS[resource];
  if (versions === undefined) return undefined;
  let conversion = made.get(resource);
  if (conversion === undefined) {
    conversion = {
      schemas: new Map(Object.entries(versions).map(([apiVersion, [name]]) => [apiVersion, definition(name)])),
      convert: (object, apiVersion) =>
        object.apiVersion === apiVersion ? object : (versions[apiVersion]?.[1](object) ?? object),
    };
    made.set(resource, conversion);
  }
  return conversion;
}
