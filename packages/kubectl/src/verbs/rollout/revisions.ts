import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { Refusal } from "../../failure.ts";
import { listObjects, type ObjectPlace } from "../../request/objects.ts";
import type { Session } from "../../session.ts";

export const CHANGE_CAUSE = "kubernetes.io/change-cause";
export const REVISION = "deployment.kubernetes.io/revision";

/** A state that a workload was in. */
export interface Revision {
  readonly number: number;
  readonly cause: string;
  /** Pods' description of that time. */
  readonly template: JsonObject;
  /** What brings a workload back to it; undefined for deployments, which take the template. */
  readonly patch: JsonObject | undefined;
  readonly object: KubeObject;
}

/** What a workload was, the oldest first. */
export async function revisionsOf(
  session: Session,
  { mapping, namespace }: ObjectPlace,
  object: KubeObject,
): Promise<readonly Revision[]> {
  const mapper = await session.mapper();
  const isDeployment = object.kind === "Deployment";
  if (!isDeployment && object.kind !== "StatefulSet" && object.kind !== "DaemonSet") {
    throw new Refusal(
      `no history viewer has been implemented for ${JSON.stringify(`${object.kind}.${mapping.group}`)}`,
    );
  }
  const resource = mapper.known("apps", isDeployment ? "replicasets" : "controllerrevisions");
  const labels = valueAt(object, "spec", "selector", "matchLabels");
  const labelSelector = Object.entries(isObject(labels) ? labels : {})
    .map(([key, value]) => `${key}=${textAt(value)}`)
    .join(",");
  const all = await listObjects(session, resource, namespace, { labelSelector });
  const own = all.filter((one) =>
    listAt(one, "metadata", "ownerReferences").some((owner) => textAt(owner, "uid") === object.metadata.uid),
  );
  return own
    .map((one) => (isDeployment ? ofReplicaSet(one) : ofControllerRevision(one)))
    .sort((a, b) => a.number - b.number);
}

const asObject = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

function ofReplicaSet(object: KubeObject): Revision {
  return {
    number: Number(textAt(object, "metadata", "annotations", REVISION)),
    cause: textAt(object, "metadata", "annotations", CHANGE_CAUSE),
    template: asObject(valueAt(object, "spec", "template")),
    patch: undefined,
    object,
  };
}

function ofControllerRevision(object: KubeObject): Revision {
  const patch = asObject(valueAt(object, "data"));
  const { $patch: _directive, ...template } = asObject(valueAt(patch, "spec", "template"));
  return {
    number: Number(valueAt(object, "revision") ?? 0),
    cause: textAt(object, "metadata", "annotations", CHANGE_CAUSE),
    template,
    patch,
    object,
  };
}
