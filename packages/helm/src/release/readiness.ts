import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { DeadlineExceeded, FailedPrecondition } from "@boxship/base/errors";
import { collectionPathOf, findObject, type ObjectPlace, type Session } from "@boxship/kubectl/cluster";

export type Readiness =
  | { readonly state: "ready" }
  | { readonly state: "waiting"; readonly why: string }
  /** It will not become ready any more. */
  | { readonly state: "failed"; readonly why: string };

const ready: Readiness = { state: "ready" };
const waiting = (why: string): Readiness => ({ state: "waiting", why });
const failed = (why: string): Readiness => ({ state: "failed", why });

const number = (object: KubeObject, ...path: string[]): number => Number(valueAt(object, ...path) ?? 0);

function condition(
  object: KubeObject,
  type: string,
): { readonly status: string; readonly message: string } | undefined {
  const found = listAt(object, "status", "conditions").find((one) => textAt(one, "type") === type);
  return found === undefined
    ? undefined
    : { status: textAt(found, "status"), message: textAt(found, "message") || textAt(found, "reason") };
}

function replicas(object: KubeObject, wanted: number, ...counts: readonly string[]): Readiness {
  for (const field of counts) {
    const has = number(object, "status", field);
    if (has < wanted) return waiting(`${field} ${has} of ${wanted}`);
  }
  return ready;
}

function deployment(object: KubeObject): Readiness {
  if (valueAt(object, "spec", "paused") === true) return ready;
  const progress = condition(object, "Progressing");
  if (progress?.status === "False") return failed(progress.message);
  const wanted = Number(valueAt(object, "spec", "replicas") ?? 1);
  const updated = number(object, "status", "updatedReplicas");
  if (updated < wanted) return waiting(`updatedReplicas ${updated} of ${wanted}`);
  // While old pods serve, those that are ready need not be the new ones.
  const old = number(object, "status", "replicas") - updated;
  if (old > 0) return waiting(`${old} old replicas are not replaced yet`);
  return replicas(object, wanted, "readyReplicas", "availableReplicas");
}

function statefulSet(object: KubeObject): Readiness {
  const wanted = Number(valueAt(object, "spec", "replicas") ?? 1);
  if (textAt(object, "spec", "updateStrategy", "type") === "OnDelete") return replicas(object, wanted, "readyReplicas");
  const partition = number(object, "spec", "updateStrategy", "rollingUpdate", "partition");
  const updated = number(object, "status", "updatedReplicas");
  if (updated < wanted - partition) return waiting(`updatedReplicas ${updated} of ${wanted - partition}`);
  return replicas(object, wanted, "readyReplicas");
}

function daemonSet(object: KubeObject): Readiness {
  const wanted = number(object, "status", "desiredNumberScheduled");
  if (number(object, "status", "observedGeneration") === 0) return waiting("not observed yet");
  return replicas(object, wanted, "updatedNumberScheduled", "numberReady");
}

function pod(object: KubeObject): Readiness {
  const phase = textAt(object, "status", "phase");
  if (phase === "Succeeded") return ready;
  if (phase === "Failed") return failed(textAt(object, "status", "message") || "the pod has failed");
  return condition(object, "Ready")?.status === "True" ? ready : waiting(phase || "not scheduled");
}

/** One that works on is not done: a test that fails later has failed. */
function endedPod(object: KubeObject): Readiness {
  const phase = textAt(object, "status", "phase");
  return phase === "Succeeded" || phase === "Failed" ? pod(object) : waiting(phase || "not scheduled");
}

function job(object: KubeObject): Readiness {
  const bad = condition(object, "Failed");
  if (bad?.status === "True") return failed(bad.message || "the job has failed");
  return condition(object, "Complete")?.status === "True" ? ready : waiting("the job is not complete");
}

function service(object: KubeObject): Readiness {
  if (textAt(object, "spec", "type") !== "LoadBalancer") return ready;
  if (listAt(object, "spec", "externalIPs").length > 0) return ready;
  return listAt(object, "status", "loadBalancer", "ingress").length > 0
    ? ready
    : waiting("no address of a load balancer");
}

function definition(object: KubeObject): Readiness {
  if (condition(object, "NamesAccepted")?.status === "False")
    return failed(condition(object, "NamesAccepted")?.message ?? "");
  return condition(object, "Established")?.status === "True" ? ready : waiting("not established");
}

const phase =
  (wanted: string) =>
  (object: KubeObject): Readiness =>
    textAt(object, "status", "phase") === wanted
      ? ready
      : waiting(textAt(object, "status", "phase") || `not ${wanted}`);

/** Kinds of others tell by the conditions that most of them have. */
function other(object: KubeObject): Readiness {
  const observed: Json | undefined = valueAt(object, "status", "observedGeneration");
  if (typeof observed === "number" && observed < (object.metadata.generation ?? 0)) return waiting("not observed yet");
  if (condition(object, "Stalled")?.status === "True")
    return failed(condition(object, "Stalled")?.message ?? "stalled");
  if (condition(object, "Reconciling")?.status === "True") return waiting("reconciling");
  for (const type of ["Ready", "Available", "Established"]) {
    const found = condition(object, type);
    if (found !== undefined) return found.status === "True" ? ready : waiting(found.message || `not ${type}`);
  }
  return ready;
}

const KINDS: Readonly<Record<string, (object: KubeObject) => Readiness>> = {
  Deployment: deployment,
  StatefulSet: statefulSet,
  DaemonSet: daemonSet,
  ReplicaSet: (object) => replicas(object, Number(valueAt(object, "spec", "replicas") ?? 1), "readyReplicas"),
  ReplicationController: (object) =>
    replicas(object, Number(valueAt(object, "spec", "replicas") ?? 1), "readyReplicas"),
  Pod: pod,
  Job: () => ready,
  PersistentVolumeClaim: phase("Bound"),
  Namespace: phase("Active"),
  Service: service,
  CustomResourceDefinition: definition,
  APIService: (object) => (condition(object, "Available")?.status === "True" ? ready : waiting("not available")),
};

/** What is waited for: that objects work, that jobs among them have ended as well, or that pods have, too, as hooks do. */
export type Wanted = "ready" | "jobs-ended" | "ended";

/** Whether an object does what it is there for. */
export function readinessOf(object: KubeObject, wanted: Wanted): Readiness {
  if (wanted !== "ready" && object.kind === "Job") return job(object);
  if (wanted === "ended" && object.kind === "Pod") return endedPod(object);
  const generation = object.metadata.generation ?? 0;
  const kind = KINDS[object.kind];
  if (["Deployment", "StatefulSet", "DaemonSet"].includes(object.kind)) {
    if (number(object, "status", "observedGeneration") < generation) return waiting("not observed yet");
  }
  return (kind ?? other)(object);
}

export interface WaitOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly wanted: Wanted;
}

/** Waits until all are ready, by events. @throws DeadlineExceeded, FailedPrecondition that name the object */
export async function waitUntilReady(
  session: Session,
  places: readonly ObjectPlace[],
  options: WaitOptions,
): Promise<void> {
  const late = AbortSignal.timeout(options.timeout);
  for (const place of places) await waitForOne(session, place, late, options.wanted);
}

async function waitForOne(session: Session, place: ObjectPlace, late: AbortSignal, wanted: Wanted): Promise<void> {
  const { mapping, namespace, name } = place;
  const api = await session.api();
  const signal = session.io.signal === undefined ? late : AbortSignal.any([late, session.io.signal]);
  let why = "it is not there";
  /** @returns whether there is no more to wait for */
  const check = (object: KubeObject): boolean => {
    const found = readinessOf(object, wanted);
    if (found.state === "failed")
      throw new FailedPrecondition(`${mapping.kind} ${namespace}/${name} is not ready and will not be: ${found.why}`);
    if (found.state === "waiting") ({ why } = found);
    return found.state === "ready";
  };
  while (!late.aborted) {
    const object = await findObject(session, place);
    if (object !== undefined && check(object)) return;
    const query = {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: textAt(object, "metadata", "resourceVersion"),
    };
    try {
      for await (const event of api.watch(collectionPathOf(mapping, namespace), { query, signal })) {
        if (event.type === "ERROR") break;
        if (event.type !== "DELETED" && check(event.object as KubeObject)) return;
      }
    } catch (error) {
      if (!late.aborted) throw error;
    }
    session.io.signal?.throwIfAborted();
  }
  throw new DeadlineExceeded(`timed out waiting for ${mapping.kind} ${namespace}/${name}: ${why}`);
}
