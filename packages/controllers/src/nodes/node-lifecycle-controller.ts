import { deepCopy, deepEqual, type KubeObject, textAt, timestamp } from "@boxship/api";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { conditionOf } from "../shared/pods.ts";
import { LEASES, NODES, PODS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { Node } from "../types/sets.ts";
import { isExecuting, taintsFor } from "./node-taints.ts";
import { NodeZones } from "./node-zones.ts";

/** A node that is silent for so long is not known to be there. */
const GRACE_MS = 50_000;
/** A new one has a little longer. */
const STARTUP_MS = 60_000;
/** Of that time, the end is spent on listening: who did not run itself has heard nobody, and cannot tell who is silent. */
const LISTEN_MS = 10_000;
/** Listening is counted in such pieces; one that ends later than so by the second number was none. */
const PIECE_MS = 2000;
const LATE_MS = 1000;
/** Pods are not thrown out of a node before it was silent for so long. */
const DOUBT_MS = 5000;
const LEASE_NAMESPACE = "kube-node-lease";
const TYPES = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

/** Says which nodes are silent, keeps pods away from those that are not well, and throws them out of those that are gone. */
export const nodeLifecycle = (pulse?: Pulse): ControllerDefinition => ({
  name: "node-lifecycle-controller",
  workers: 1,
  open: (context) => new NodeLifecycle(context, pulse).reconcile,
});

/** Whether nodes live, where that is known without leases: of simulated ones, which would renew them for ever. */
export interface Pulse {
  isBeating(node: string): boolean;
  /** Calls when a node begins or ends to be there. */
  listen(listener: (node: string) => void): void;
}

/** Labels by names that were given up, which old manifests select by: they say what the others say. */
const OLD_LABELS = [
  ["kubernetes.io/os", "beta.kubernetes.io/os"],
  ["kubernetes.io/arch", "beta.kubernetes.io/arch"],
] as const;

function oldLabelsOf({ metadata: { labels = {} } }: Node): Record<string, string> {
  const changed = OLD_LABELS.flatMap(([name, old]) => {
    const value = labels[name];
    return value === undefined || labels[old] === value ? [] : [[old, value] as const];
  });
  return Object.fromEntries(changed);
}

interface Heard {
  readonly text: string;
  /** Monotonic milliseconds: clocks of nodes are not compared. */
  readonly at: number;
  /** The status of its condition then. */
  readonly ready: string | undefined;
  /** Milliseconds that were listened for since it was doubted. */
  readonly listened: number;
  /** When the piece ends that is listened for now: monotonic milliseconds, 0 before it is doubted. */
  readonly until: number;
}

/** @param doubted from when on its silence means something. @returns `left` until the next look, 0 when it is lost */
function listen(heard: Heard, doubted: number, now: number): { readonly next: Heard; readonly left: number } {
  if (now < doubted) return { next: heard, left: doubted - now };
  if (heard.listened >= LISTEN_MS) return { next: heard, left: 0 };
  if (heard.until > now) return { next: heard, left: heard.until - now };
  const counts = heard.until > 0 && now - heard.until <= LATE_MS;
  const listened = heard.listened + (counts ? PIECE_MS : 0);
  const left = listened >= LISTEN_MS ? 0 : PIECE_MS;
  return { next: { ...heard, listened, until: now + left }, left };
}

class NodeLifecycle {
  readonly #context: ControllerContext;
  readonly #heard = new Map<string, Heard>();
  readonly #pulse: Pulse | undefined;
  readonly #zones = new NodeZones();

  constructor(context: ControllerContext, pulse: Pulse | undefined) {
    this.#context = context;
    this.#pulse = pulse;
    const { informers, queue } = context;
    pulse?.listen((name) => queue.add(name));
    const add = ({ metadata }: KubeObject): void => queue.add(metadata.name ?? "");
    const nodes = informers.of<Node>(NODES);
    const counted = (count: () => void): void => {
      const before = this.#zones.isAnyWell;
      count();
      if (before !== this.#zones.isAnyWell) for (const one of nodes.all()) add(one);
    };
    nodes.handle({
      added: (node) => {
        counted(() => this.#zones.set(node));
        this.#tell(
          node,
          "RegisteredNode",
          `Node ${node.metadata.name} event: Registered Node ${node.metadata.name} in Controller`,
        );
        add(node);
      },
      updated: (node) => {
        counted(() => this.#zones.set(node));
        add(node);
      },
      deleted: (node) => {
        counted(() => this.#zones.delete(node.metadata.name ?? ""));
        this.#heard.delete(node.metadata.name ?? "");
        this.#tell(
          node,
          "RemovingNode",
          `Node ${node.metadata.name} event: Removing Node ${node.metadata.name} from Controller`,
        );
      },
    });
    const beat = (lease: KubeObject): void => {
      if (lease.metadata.namespace === LEASE_NAMESPACE) add(lease);
    };
    informers.of(LEASES).handle({ added: beat, updated: beat });
  }

  #tell(node: Node, reason: string, message: string): void {
    this.#context.events.record(node, "Normal", reason, message);
  }

  readonly reconcile: Reconcile = async (name) => {
    const { informers, client, clock, queue } = this.#context;
    const nodes = informers.of<Node>(NODES);
    const node = nodes.get(name);
    if (node === undefined || node.metadata.deletionTimestamp !== undefined) return;
    const left = this.#silence(node);
    if (left > 0 && left < Number.POSITIVE_INFINITY) queue.addAfter(name, left);
    const told = left > 0 ? node : await this.#lose(node);
    const ready = conditionOf(told.status, "Ready")?.status;
    // A node that says itself that it is not ready says how its pods are.
    if (ready === "Unknown") await this.#markPods(told);
    const isUnwell = ready !== undefined && ready !== "True";
    const begins = isUnwell && !isExecuting(told) && this.#mayExecute(told);
    const taints = taintsFor(told, begins || (isExecuting(told) && this.#zones.isAnyWell), timestamp(clock.now()));
    const isTainted = deepEqual([...taints], told.spec?.taints ?? []);
    const labels = oldLabelsOf(told);
    if (isTainted && Object.keys(labels).length === 0) return;
    if (begins) this.#zones.executed(told, clock.monotonic());
    const { resourceVersion } = told.metadata;
    await client.patch(refOf(NODES, told), "merge", {
      metadata: { resourceVersion, labels },
      ...(isTainted ? {} : { spec: { taints: [...taints] } }),
    });
  };

  /** Milliseconds for which a node may go on being silent. */
  #silence(node: Node): number {
    const { informers, clock } = this.#context;
    const name = node.metadata.name ?? "";
    const now = clock.monotonic();
    const ready = conditionOf(node.status, "Ready");
    if (this.#pulse?.isBeating(name) === true) {
      this.#heard.set(name, { text: "", at: now, ready: ready?.status, listened: 0, until: 0 });
      return Number.POSITIVE_INFINITY;
    }
    const renewed = textAt(informers.of(LEASES).get(`${LEASE_NAMESPACE}/${name}`), "spec", "renewTime");
    const beat = textAt(ready, "lastHeartbeatTime");
    const text = this.#pulse === undefined ? `${beat} ${renewed}` : "";
    const known = this.#heard.get(name);
    // A node that says that it is well says so by that, whatever the times.
    const speaks = ready !== undefined && ready.status !== "Unknown" && known?.ready === "Unknown";
    const heard: Heard =
      known === undefined || text !== known.text || speaks
        ? { text, at: now, ready: ready?.status, listened: 0, until: 0 }
        : known;
    const grace = ready === undefined && renewed === "" ? STARTUP_MS : GRACE_MS;
    const { next, left } = listen(heard, heard.at + grace - LISTEN_MS, now);
    this.#heard.set(name, { ...next, ready: ready?.status });
    return left;
  }

  /** Nobody knows how the node is. */
  async #lose(node: Node): Promise<Node> {
    const { client, clock } = this.#context;
    const time = timestamp(clock.now());
    const conditions = [...(node.status?.conditions ?? [])];
    for (const type of TYPES) {
      const at = conditions.findIndex((one) => one.type === type);
      const present = conditions[at];
      if (present?.status === "Unknown") continue;
      const [reason, message] =
        present === undefined
          ? ["NodeStatusNeverUpdated", "Kubelet never posted node status."]
          : ["NodeStatusUnknown", "Kubelet stopped posting node status."];
      const lost = {
        lastHeartbeatTime: node.metadata.creationTimestamp ?? time,
        ...present,
        type,
        status: "Unknown",
        reason: reason ?? "",
        message: message ?? "",
        lastTransitionTime: time,
      };
      if (at < 0) conditions.push(lost);
      else conditions[at] = lost;
    }
    if (deepEqual(conditions, node.status?.conditions ?? [])) return node;
    this.#tell(node, "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`);
    return await writeStatus(client, refOf(NODES, node), node, { ...deepCopy(node.status ?? {}), conditions });
  }

  /** What ran there is not to be reached any more. */
  async #markPods(node: Node): Promise<void> {
    const { informers, client, events, clock } = this.#context;
    for (const pod of informers.of<Pod>(PODS).find("node", node.metadata.name ?? "")) {
      const ready = conditionOf(pod.status, "Ready");
      if (ready?.status !== "True") continue;
      const lastTransitionTime = timestamp(clock.now());
      const unready = { ...ready, status: "False", lastTransitionTime };
      const conditions = (pod.status?.conditions ?? []).map((one) => (one === ready ? unready : one));
      events.record(pod, "Warning", "NodeNotReady", "Node is not ready");
      await writeStatus(client, refOf(PODS, pod), pod, { ...deepCopy(pod.status ?? {}), conditions });
    }
  }

  #mayExecute(node: Node): boolean {
    const { clock, queue } = this.#context;
    const since = Date.parse(conditionOf(node.status, "Ready")?.lastTransitionTime ?? "");
    // Others that fell silent with this one are known to be so a little later.
    const wait = Math.max(this.#zones.patience(node, clock.monotonic()), since + DOUBT_MS - clock.now());
    if (wait > 0) queue.addAfter(node.metadata.name ?? "", wait);
    return wait <= 0;
  }
}
