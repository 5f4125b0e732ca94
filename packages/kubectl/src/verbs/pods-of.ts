import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { Refusal } from "../failure.ts";
import { getObject, listObjects, type ObjectPlace } from "../request/objects.ts";
import type { Session } from "../session.ts";

/** A pod alone, or all of a workload's. */
export async function podsBehind(session: Session, place: ObjectPlace): Promise<readonly KubeObject[]> {
  const object = await getObject(session, place);
  if (object.kind === "Pod") return [object];
  const selector = valueAt(object, "spec", "selector", "matchLabels") ?? valueAt(object, "spec", "selector");
  if (!isObject(selector)) {
    throw new Refusal(
      object.kind === "Service"
        ? `cannot attach to *v1.Service: invalid service '${place.name}': Service is defined without a selector`
        : `cannot attach to *unstructured.Unstructured: selector for ${object.kind} not implemented`,
    );
  }
  const labelSelector = Object.entries(selector)
    .map(([key, value]) => `${key}=${textAt(value)}`)
    .join(",");
  const pods = (await session.mapper()).known("", "pods");
  return await listObjects(session, pods, place.namespace, { labelSelector });
}

/** A pod, or the first of a workload's. @param told says so where there are several */
export async function podOf(session: Session, place: ObjectPlace, told: boolean): Promise<KubeObject> {
  const found = await podsBehind(session, place);
  const [first, ...others] = found;
  if (first === undefined) throw new Refusal("timed out waiting for the condition");
  const name = first.metadata.name ?? "";
  if (told && others.length > 0) session.warn(`Found ${found.length} pods, using pod/${name}`);
  return first;
}

/** Told what is worth a word; a line without its end. */
export type Tell = (line: string) => void;

/** The container that is meant when none is named; says so where there are several. */
function defaultContainer(pod: KubeObject, tell: Tell): string {
  const chosen = textAt(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container");
  const containers = listAt(pod, "spec", "containers").map((one) => textAt(one, "name"));
  if (chosen !== "" && containers.includes(chosen)) return chosen;
  const all = containerList(pod);
  const name = containers[0] ?? "";
  if (all.includes(",")) tell(`Defaulted container ${JSON.stringify(name)} out of: ${all}`);
  return name;
}

/** The container of that name, or the one that is meant when none is named. @throws Refusal */
export function containerOf(pod: KubeObject, name: string, tell: Tell): Json {
  const wanted = name || defaultContainer(pod, tell);
  const all = ["containers", "initContainers", "ephemeralContainers"].flatMap((field) => listAt(pod, "spec", field));
  const container = all.find((one) => textAt(one, "name") === wanted);
  if (container !== undefined) return container;
  const { name: podName = "" } = pod.metadata;
  throw new Refusal(`container ${wanted} is not valid for pod ${podName} out of: ${containerList(pod)}`);
}

/** All containers of a pod, as messages name them. */
function containerList(pod: KubeObject): string {
  const names = (field: string): readonly string[] => listAt(pod, "spec", field).map((one) => textAt(one, "name"));
  return [
    ...names("containers"),
    ...names("ephemeralContainers").map((name) => `${name} (ephem)`),
    ...names("initContainers").map((name) => `${name} (init)`),
  ].join(", ");
}
