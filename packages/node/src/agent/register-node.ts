import { readFile, statfs } from "node:fs/promises";
import { arch, availableParallelism, release, totalmem } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { type JsonObject, KUBERNETES_LEVEL, type KubeObject, timestamp } from "@boxship/api";
import { AlreadyExists, type Clock, NotFound } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { PressureCondition } from "../pressure/thresholds.ts";
import { NODE_SHUTTING_DOWN } from "../shutdown/node-shutdown.ts";
import { ENGINE_AWAY, type EngineHealth, type EngineLook } from "./engine-health.ts";

const NODES = { group: "", version: "v1", resource: "nodes" } as const;
const LEASES = {
  group: "coordination.k8s.io",
  version: "v1",
  resource: "leases",
  namespace: "kube-node-lease",
} as const;
const LEASE_SECONDS = 40;
export const MOST_PODS = 110;

export interface NodeFacts {
  readonly name: string;
  /** The first is what others reach it by. */
  readonly addresses: readonly string[];
  /** What pods' addresses are of. */
  readonly networks: readonly string[];
  /** Where pods' files are. */
  readonly root: string;
  /** Whether there is too little of something. */
  readonly has: (pressure: PressureCondition) => boolean;
  /** The machine is about to go down. */
  readonly isGoing: boolean;
  /** As its status has them; undefined while they are not known. */
  readonly images: () => Promise<readonly JsonObject[] | undefined>;
  /** A condition has changed; reasons are the kubelet's. */
  readonly tell: (reason: string) => void;
}

/** What the machine has to give. */
export async function capacityOf(root: string): Promise<Readonly<Record<string, string>>> {
  const { bsize, blocks } = await statfs(root);
  return {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    "ephemeral-storage": `${Math.floor((bsize * blocks) / 1024)}Ki`,
    pods: String(MOST_PODS),
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The node's object, made if there is none, and its status as it is now. */
export async function registerNode(
  client: ApiClient,
  engine: EngineHealth,
  clock: Clock,
  facts: NodeFacts,
): Promise<KubeObject> {
  const { name } = facts;
  const architecture = ARCHITECTURES[arch()] ?? arch();
  const labels = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": "linux",
    "beta.kubernetes.io/arch": architecture,
  };
  const node = { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {} };
  await client.create(NODES, node).catch((error: unknown) => {
    if (!(error instanceof AlreadyExists)) throw error;
  });
  return await writeNodeStatus(client, engine, clock, facts);
}

/** Says what the node has, and whether its engine answers. */
export async function writeNodeStatus(
  client: ApiClient,
  engine: EngineHealth,
  clock: Clock,
  { name, addresses, networks, root, has, isGoing, images, tell }: NodeFacts,
): Promise<KubeObject> {
  const ref = { ...NODES, name };
  const node = await client.get<NodeObject>(ref);
  if (networks.length > 0 && node.spec?.podCIDRs?.join() !== networks.join()) {
    await client.patch(ref, "merge", { spec: { podCIDR: networks[0] ?? "", podCIDRs: [...networks] } });
  }
  const capacity = await capacityOf(root);
  const look = await engine.look();
  const { version, handlers, features } = look;
  const known = version === undefined ? undefined : await images();
  // Of a new node nobody knows yet that it had an engine.
  const wasReady = node.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
  const engineProblem = look.problem ?? (version === undefined && !wasReady ? ENGINE_AWAY : undefined);
  const problems = [engineProblem, isGoing ? NODE_SHUTTING_DOWN : undefined].filter((one) => one !== undefined);
  const now = timestamp(clock.now());
  const condition = (type: string, status: string, reason: string, message: string): JsonObject => {
    const before = node.status?.conditions?.find((one) => one.type === type);
    const since = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: since };
  };
  const ready =
    problems.length > 0
      ? condition(
          "Ready",
          "False",
          "KubeletNotReady",
          problems.length > 1 ? `[${problems.join(", ")}]` : problems.join(),
        )
      : condition("Ready", "True", "KubeletReady", "kubelet is posting ready status");
  const status = {
    capacity,
    allocatable: capacity,
    conditions: [
      has("MemoryPressure")
        ? condition(
            "MemoryPressure",
            "True",
            "KubeletHasInsufficientMemory",
            "kubelet has insufficient memory available",
          )
        : condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
      has("DiskPressure")
        ? condition("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure")
        : condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
      has("PIDPressure")
        ? condition("PIDPressure", "True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available")
        : condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
      ready,
    ],
    // A patch takes two addresses of one type for one.
    addresses: [
      { $patch: "replace" },
      ...addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: name },
    ],
    nodeInfo: await nodeInfo(
      version === undefined
        ? node.status?.nodeInfo?.containerRuntimeVersion
        : `${version.runtimeName}://${version.runtimeVersion}`,
    ),
    ...(handlers === undefined ? {} : { runtimeHandlers: [...runtimeHandlers(handlers)] }),
    ...(features === undefined ? {} : { features: { supplementalGroupsPolicy: features.supplementalGroupsPolicy } }),
    ...(known === undefined || isDeepStrictEqual(known, node.status?.images ?? []) ? {} : { images: [...known] }),
  };
  const written = await client.patch(ref, "strategic", { status }, { subresource: "status" });
  for (const { type, status: is } of status.conditions as unknown as readonly NodeCondition[]) {
    const before = node.status?.conditions?.find((one) => one.type === type);
    if (before?.status !== is) tell(CHANGES[type as keyof typeof CHANGES][is === "True" ? 0 : 1]);
  }
  return written;
}

/** Events: what becomes true, and what false. */
const CHANGES = {
  MemoryPressure: ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
  DiskPressure: ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
  PIDPressure: ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
  Ready: ["NodeReady", "NodeNotReady"],
} as const;

/** What runtimes can do, `core/v1.NodeRuntimeHandler`. */
function runtimeHandlers(handlers: NonNullable<EngineLook["handlers"]>): readonly JsonObject[] {
  return handlers.map(({ name, features }) => ({
    name,
    features: {
      recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts === true,
      userNamespaces: features?.userNamespaces === true,
    },
  }));
}

type NodeObject = KubeObject & {
  spec?: { podCIDRs?: string[] };
  status?: { conditions?: NodeCondition[]; images?: JsonObject[]; nodeInfo?: { containerRuntimeVersion?: string } };
};

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

async function nodeInfo(containerRuntimeVersion = "") {
  const text = (path: string) =>
    readFile(path, "utf8").then(
      (read) => read.trim(),
      () => "",
    );
  const osRelease = await text("/etc/os-release");
  return {
    machineID: await text("/etc/machine-id"),
    systemUUID: await text("/sys/class/dmi/id/product_uuid"),
    bootID: await text("/proc/sys/kernel/random/boot_id"),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    containerRuntimeVersion,
    kubeletVersion: KUBERNETES_LEVEL,
    kubeProxyVersion: "",
    operatingSystem: "linux",
    architecture: ARCHITECTURES[arch()] ?? arch(),
  };
}

/** Whether others have given the node up: its last word is not believed any more. */
export async function isNodeLost(client: ApiClient, { metadata: { name = "" } }: KubeObject): Promise<boolean> {
  const { status } = await client.get<NodeObject>({ ...NODES, name });
  return status?.conditions?.some((one) => one.type === "Ready" && one.status === "Unknown") === true;
}

/** Says that the node is there. */
export async function renewLease(client: ApiClient, clock: Clock, node: KubeObject): Promise<void> {
  const { name = "", uid = "" } = node.metadata;
  const renewTime = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`;
  const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime };
  try {
    await client.patch({ ...LEASES, name }, "merge", { spec });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    const ownerReferences = [{ apiVersion: "v1", kind: "Node", name, uid }];
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, ownerReferences }, spec };
    await client.create(LEASES, lease);
  }
}
