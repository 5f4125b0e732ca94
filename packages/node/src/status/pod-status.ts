import { timestamp } from "@boxship/api";
import { ContainerState, type ContainerStatus, type PodSandboxStatus, signalName } from "@boxship/cri";
import { attemptOf, type ObservedContainer, type ObservedPod } from "../pods/observed.ts";
import { isSized } from "../pods/resize-pod.ts";
import { startsAgain } from "../pods/restart-policy.ts";
import {
  type Condition,
  type ContainerSpec,
  type ContainerStatusJson,
  isSidecar,
  type Pod,
  type PodStatus,
  type StateJson,
} from "../types.ts";
import { mountStatus } from "../volumes/recursive-read-only.ts";
import { qosClass } from "./qos.ts";

/** What statuses name a container by. @param engine what it is called */
export const containerUri = (engine: string, id: string): string => `${engine}://${id}`;

/** What only the agent knows of a pod. */
export interface PodKnowledge {
  /** What the engine is called. */
  readonly engine: string;
  readonly hostIP: string;
  /** One of each family; the first is `hostIP`. */
  readonly hostIPs: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What probes say of a running container, by its id. */
  readonly probes: (containerId: string) => { readonly started: boolean; readonly ready: boolean } | undefined;
  /** Why a container that is not running waits, by its name. */
  readonly waiting: (name: string) => { readonly reason: string; readonly message?: string } | undefined;
  /** What a container left as its last words, by its id. */
  readonly messages: (containerId: string) => string | undefined;
  /** Whether its runtime can make all read-only that is below a mount. */
  readonly recursiveReadOnly: boolean;
  /** Why containers have not what their pod says now. */
  readonly resize?: { readonly type: string; readonly reason: string; readonly message: string } | undefined;
  /** The pod ends for this reason, whatever its containers do. */
  readonly failed?: { readonly reason: string; readonly message: string } | undefined;
  /** It is being deleted, and all of it has ended. */
  readonly ended: boolean;
}

/** The status of a pod, from what it should be and what there is. */
export function podStatus(pod: Pod, observed: ObservedPod, known: PodKnowledge): PodStatus {
  const { spec } = pod;
  const [sandbox] = observed.sandboxes;
  const before = spec.initContainers ?? [];
  // Until there is a container, so it is told what it waits for.
  const none = before.length === 0 ? "ContainerCreating" : "PodInitializing";
  const inits = before.map((one) => initStatus(one, containerStatus(pod, one, observed, known, none)));
  const mains = spec.containers.map((one) => containerStatus(pod, one, observed, known, none));
  const ephemerals = (spec.ephemeralContainers ?? []).map((one) =>
    containerStatus(pod, one, observed, known, "ContainerCreating"),
  );
  const over = overAs(pod);
  const phase = over.phase ?? (known.failed === undefined ? phaseOf(pod, inits, mains, known) : "Failed");
  const ips = podAddresses(pod, sandbox, known);
  const refused = phase === "Failed" && isUnbegun(pod, observed);
  return {
    phase,
    ...observedOf(pod),
    ...(over.phase === undefined ? known.failed : over),
    conditions: refused ? [] : conditionsOf(pod, { inits, mains, phase, known, hasSandbox: ips.length > 0 }),
    hostIP: known.hostIP,
    hostIPs: known.hostIPs.map((ip) => ({ ip })),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((one) => ({ ip: one })) }),
    startTime: pod.status?.startTime ?? timestamp(known.now),
    qosClass: qosClass(pod),
    ...(refused ? {} : statusesOf(pod, { inits, mains, ephemerals, phase })),
  };
}

/** Nothing was ever made for it: of what was refused, nothing is told of containers. */
const isUnbegun = ({ status }: Pod, { sandboxes, containers }: ObservedPod): boolean =>
  sandboxes.length === 0 && containers.size === 0 && status?.containerStatuses === undefined;

interface Statuses {
  readonly inits: ContainerStatusJson[];
  readonly mains: ContainerStatusJson[];
  readonly ephemerals: ContainerStatusJson[];
  readonly phase: string;
}

function statusesOf(pod: Pod, { inits, mains, ephemerals, phase }: Statuses): Partial<PodStatus> {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const isOver = phase === "Failed" || phase === "Succeeded";
  const first = isOver ? inits.map((one) => toldOf(one, initContainerStatuses)) : inits;
  const rest = isOver ? mains.map((one) => toldOf(one, containerStatuses)) : mains;
  const isInitialized = first.every(({ state, started }) => state.terminated !== undefined || started === true);
  const located = phase === "Failed" && isInitialized ? rest.map(missed) : rest;
  return {
    ...(first.length === 0 ? {} : { initContainerStatuses: first }),
    containerStatuses: located,
    ...(ephemerals.length === 0 ? {} : { ephemeralContainerStatuses: ephemerals }),
  };
}

/** What is not there any more ended as was told of it. */
function toldOf(one: ContainerStatusJson, told: readonly ContainerStatusJson[]): ContainerStatusJson {
  if (one.containerID !== undefined) return one;
  const before = told.find(({ name }) => name === one.name);
  return before?.state.terminated === undefined ? one : before;
}

/** In the kubelet's words. */
function missed(one: ContainerStatusJson): ContainerStatusJson {
  if (one.state.waiting === undefined) return one;
  const message = "The container could not be located when the pod was terminated";
  return { ...one, state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", message } } };
}

/** Which of the pod's generations it is told of. */
const observedOf = ({ metadata: { generation } }: Pod) =>
  generation === undefined ? {} : { observedGeneration: generation };

/** What is over stays as it ended, whatever can still be seen of it. */
function overAs({ status = {} }: Pod): Pick<PodStatus, "phase" | "reason" | "message"> {
  const { phase = "", reason, message } = status;
  if (phase !== "Succeeded" && phase !== "Failed") return {};
  return { phase, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

/** Its own; of a pod on the machine's network, those of the machine. None while it has no sandbox. */
export function podAddresses(
  { spec }: Pod,
  sandbox: PodSandboxStatus | undefined,
  { hostIPs }: Pick<PodKnowledge, "hostIPs">,
): readonly string[] {
  if (spec.hostNetwork === true) return hostIPs;
  const { ip = "", additionalIps = [] } = sandbox?.network ?? {};
  return [ip, ...additionalIps.map((one) => one.ip)].filter((one) => one !== "");
}

function containerStatus(
  pod: Pod,
  container: ContainerSpec,
  observed: ObservedPod,
  known: PodKnowledge,
  none: string,
): ContainerStatusJson {
  const all = observed.containers.get(container.name) ?? [];
  const [newest, before] = all;
  const waiting = known.waiting(container.name);
  const state = newest === undefined ? { waiting: { reason: none } } : stateOf(newest, known);
  // One that waits to be started again tells how it ended beside.
  const waits = state.running === undefined && waiting !== undefined;
  const last = waits ? newest : before;
  const id = newest?.status.id ?? "";
  const running = state.running !== undefined;
  const probes = running ? known.probes(id) : undefined;
  return {
    name: container.name,
    image: newest?.status.image?.image || (container.image ?? ""),
    imageID: newest?.status.imageRef ?? "",
    ...(id === "" ? {} : { containerID: containerUri(known.engine, id) }),
    ready: running && probes?.ready === true,
    started: running ? probes?.started === true : false,
    restartCount: newest === undefined ? 0 : attemptOf(newest),
    ...mountsOf(container, known),
    ...(newest === undefined ? {} : whoOf(newest.status)),
    ...(running ? shownSize(pod, container, newest) : newest === undefined ? {} : sizeOf(container)),
    state: waits ? { waiting } : state,
    lastState: last === undefined || last.status.state !== ContainerState.Exited ? {} : stateOf(last, known),
  };
}

function mountsOf({ volumeMounts = [] }: ContainerSpec, { recursiveReadOnly }: PodKnowledge) {
  if (volumeMounts.length === 0) return {};
  return { volumeMounts: volumeMounts.map((mount) => mountStatus(mount, recursiveReadOnly)) };
}

/** Who its first process is, and what tells it to end. */
function whoOf({ user, stopSignal }: ContainerStatus): Pick<ContainerStatusJson, "user" | "stopSignal"> {
  const signal = signalName(stopSignal);
  const { uid, gid, supplementalGroups: groups = [] } = user?.linux ?? {};
  return {
    ...(uid === undefined || gid === undefined
      ? {}
      : { user: { linux: { uid, gid, ...(groups.length === 0 ? {} : { supplementalGroups: [...groups] }) } } }),
    ...(signal === undefined ? {} : { stopSignal: signal }),
  };
}

/** An init container is ready when it has ended well, unless it is a sidecar, which is while it runs. */
function initStatus(container: ContainerSpec, status: ContainerStatusJson): ContainerStatusJson {
  return isSidecar(container) ? status : { ...status, ready: status.state.terminated?.exitCode === 0 };
}

type Size = { -readonly [field in "allocatedResources" | "resources"]?: ContainerStatusJson[field] };

/** What a running container has: what its pod says, or what it had before that was changed. */
function shownSize({ status }: Pod, container: ContainerSpec, newest: ObservedContainer | undefined): Size {
  if (isSized(container, newest?.status.resources?.linux)) return sizeOf(container);
  const { name } = container;
  const told = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const { allocatedResources, resources = {} }: Size = told.find((one) => one.name === name) ?? {};
  return { ...(allocatedResources === undefined ? {} : { allocatedResources }), resources };
}

/** One that asks for nothing tells that, too: who tells it can give more. */
function sizeOf({ resources = {} }: ContainerSpec): Size {
  const { requests, limits } = resources;
  return {
    ...(requests === undefined ? {} : { allocatedResources: requests }),
    resources: { ...(requests === undefined ? {} : { requests }), ...(limits === undefined ? {} : { limits }) },
  };
}

const second = (nanoseconds: bigint): string => timestamp(Number(nanoseconds / 1_000_000n));

function stateOf(observed: ObservedContainer, known: PodKnowledge): StateJson {
  const { status } = observed;
  if (status.state === ContainerState.Running) return { running: { startedAt: second(status.startedAt) } };
  if (status.state === ContainerState.Created) return { waiting: { reason: "ContainerCreating" } };
  return { terminated: terminated(status, known) };
}

function terminated(status: ContainerStatus, known: PodKnowledge): NonNullable<StateJson["terminated"]> {
  const message = status.message || known.messages(status.id) || "";
  return {
    exitCode: status.exitCode,
    reason: status.reason,
    ...(message === "" ? {} : { message }),
    startedAt: second(status.startedAt),
    finishedAt: second(status.finishedAt),
    containerID: containerUri(known.engine, status.id),
  };
}

function phaseOf(
  pod: Pod,
  inits: readonly ContainerStatusJson[],
  mains: readonly ContainerStatusJson[],
  { ended }: PodKnowledge,
): string {
  const { containers, initContainers = [] } = pod.spec;
  const sidecars = new Set(initContainers.filter(isSidecar).map(({ name }) => name));
  const again = (one: ContainerStatusJson, specs: readonly ContainerSpec[]) => {
    const spec = specs.find(({ name }) => name === one.name) ?? { name: one.name };
    return !ended && startsAgain(pod, spec, one.state.terminated?.exitCode ?? 0);
  };
  const initFailed = inits.filter(({ name, state }) => !sidecars.has(name) && (state.terminated?.exitCode ?? 0) !== 0);
  const initPending = inits.some((one) =>
    sidecars.has(one.name) ? one.started !== true && mains.every(isUnstarted) : one.state.terminated?.exitCode !== 0,
  );
  if (initFailed.some((one) => !again(one, initContainers))) return "Failed";
  if (!ended && initPending && mains.every(isUnstarted)) return "Pending";
  if (mains.some((one) => one.state.running !== undefined)) return "Running";
  const allEnded = mains.every((one) => one.state.terminated !== undefined);
  if (allEnded) {
    if (mains.some((one) => again(one, containers))) return "Running";
    return mains.every(({ state }) => state.terminated?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  if (ended) return "Failed";
  return mains.some(isUnstarted) ? "Pending" : "Running";
}

const isUnstarted = ({ state, lastState }: ContainerStatusJson): boolean =>
  state.running === undefined && state.terminated === undefined && lastState.terminated === undefined;

interface ConditionFacts {
  readonly inits: readonly ContainerStatusJson[];
  readonly mains: readonly ContainerStatusJson[];
  readonly phase: string;
  readonly known: PodKnowledge;
  readonly hasSandbox: boolean;
}

/** Those that are the agent's; others keep theirs. */
function conditionsOf(pod: Pod, facts: ConditionFacts): Condition[] {
  const { inits, mains, phase, known, hasSandbox } = facts;
  const { spec, status } = pod;
  const completed = phase === "Succeeded" || phase === "Failed";
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const uninitialized = inits.filter((one) =>
    sidecars.has(one.name) ? one.started !== true : one.state.terminated?.exitCode !== 0,
  );
  const begun = mains.some((one) => !isUnstarted(one));
  const unready = [...mains, ...inits.filter(({ name }) => sidecars.has(name))].filter((one) => !one.ready);
  const gate = (spec.readinessGates ?? []).find(
    ({ conditionType }) => !status?.conditions?.some((one) => one.type === conditionType && one.status === "True"),
  );
  const named = (what: string, which: readonly ContainerStatusJson[]) =>
    `containers with ${what} status: [${which.map(({ name }) => name).join(" ")}]`;
  const initialized = uninitialized.length === 0 || begun;
  const ready = unready.length === 0 && !completed;
  const notReady = completed
    ? { reason: phase === "Succeeded" ? "PodCompleted" : "PodFailed" }
    : { reason: "ContainersNotReady", message: named("unready", unready) };
  const condition = (type: string, fine: boolean, why: { reason: string; message?: string } | undefined): Condition => {
    const before = status?.conditions?.find((one) => one.type === type);
    const next = { type, status: fine ? "True" : "False", ...observedOf(pod), ...(fine ? {} : why) };
    const same = before?.status === next.status;
    return { ...next, lastTransitionTime: (same ? before?.lastTransitionTime : undefined) ?? timestamp(known.now) };
  };
  return [
    condition("PodReadyToStartContainers", hasSandbox && !known.ended && !completed, undefined),
    condition("Initialized", initialized || phase === "Succeeded", {
      reason: "ContainersNotInitialized",
      message: named("incomplete", uninitialized),
    }),
    condition(
      "Ready",
      ready && gate === undefined,
      ready
        ? { reason: "ReadinessGatesNotReady", message: `readiness gate "${gate?.conditionType}" is not true` }
        : notReady,
    ),
    condition("ContainersReady", ready, notReady),
    ...(DISRUPTIONS.includes(known.failed?.reason ?? "") && phase === "Failed" ? [disrupted(pod, known)] : []),
    ...(known.resize === undefined
      ? []
      : [condition(known.resize.type, true, undefined)].map((one) => ({ ...one, ...known.resize }))),
  ];
}

/** Who had not failed by itself. */
const DISRUPTIONS = ["Evicted", "Terminated"];

const disrupted = (pod: Pod, { failed, now }: PodKnowledge): Condition => ({
  type: "DisruptionTarget",
  status: "True",
  ...observedOf(pod),
  reason: "TerminationByKubelet",
  message: failed?.message ?? "",
  lastTransitionTime: timestamp(now),
});
