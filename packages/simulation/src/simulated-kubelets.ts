import { deepCopy, isObject, type JsonObject, type KubeObject, listAt, textAt, timestamp, valueAt } from "@boxship/api";
import { NotFound, parseDuration } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "@boxship/controllers";
import type { Pulses } from "./pulses.ts";

const PODS = { group: "", version: "v1", resource: "pods" } as const;
const NODES = { group: "", version: "v1", resource: "nodes" } as const;

/** Annotations of pods that say what becomes of them. */
export const STARTS_AFTER = "simulate.boxship/starts-after";
export const RUNS_FOR = "simulate.boxship/runs-for";
export const EXIT_CODE = "simulate.boxship/exit-code";

const DEFAULT_START_MS = 2000;
/** Of pods that are meant to end. */
const DEFAULT_RUN_MS = 60_000;
const STOP_MS = 1000;

export interface KubeletOptions {
  readonly pulses: Pulses;
  /** By how much a node's clock goes before ours, in milliseconds. */
  readonly skewOf: (node: string) => number;
  /** Is told when two pods of one name run at once and it must not be so. */
  readonly twice?: (line: string) => void;
}

/** The kubelets of all nodes: they write what pods become, and nothing runs. A node that is lost does nothing. */
export function simulatedKubelets({ pulses, skewOf, twice = () => {} }: KubeletOptions): ControllerDefinition {
  return {
    name: "kubelets",
    open(context): Reconcile {
      const { informers, queue, clock } = context;
      const pods = informers.of<KubeObject>(PODS);
      const nodes = informers.of<KubeObject>(NODES);
      const add = (pod: KubeObject): void => {
        if (textAt(pod, "spec", "nodeName") !== "") queue.add(keyOf(pod));
      };
      const processes = new Processes(twice);
      pods.handle({
        added: add,
        updated: add,
        deleted(pod) {
          // A node that is lost does not hear of it.
          if (pulses.isBeating(textAt(pod, "spec", "nodeName"))) processes.end(pod);
        },
      });
      const all = (node: string): void => {
        if (pulses.isBeating(node)) processes.endGone(node, (key) => pods.get(key)?.metadata.uid);
        queue.add(`node:${node}`);
        for (const pod of pods.find("node", node)) add(pod);
      };
      pulses.listen(all);
      nodes.handle({
        added: (node) => queue.add(`node:${node.metadata.name}`),
        updated: (node) => queue.add(`node:${node.metadata.name}`),
      });
      return async (key) => {
        if (key.startsWith("node:")) {
          const node = nodes.get(key.slice("node:".length));
          if (node !== undefined && pulses.isBeating(node.metadata.name ?? "")) await beWell(context, node, skewOf);
          return;
        }
        const pod = pods.get(key);
        const node = textAt(pod, "spec", "nodeName");
        if (pod === undefined || !pulses.isBeating(node) || nodes.get(node) === undefined) return;
        await new PodOnNode(context, pod, clock.now() + skewOf(node)).go();
        if (textAt(pods.get(key), "status", "phase") === "Running") processes.begin(pod);
      };
    },
  };
}

/** What runs on nodes, also on those that are lost: there it goes on, whatever the API says. */
class Processes {
  readonly #running = new Map<string, Map<string, string>>();
  readonly #twice: (line: string) => void;

  constructor(twice: (line: string) => void) {
    this.#twice = twice;
  }

  /** A pod of a StatefulSet is the only one of its name. */
  begin(pod: KubeObject): void {
    const [key, uid, node] = [keyOf(pod), pod.metadata.uid ?? "", textAt(pod, "spec", "nodeName")];
    const known = this.#running.get(key) ?? new Map<string, string>();
    this.#running.set(key, known);
    if (known.has(uid)) return;
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    const [other] = known.values();
    if (other !== undefined && owner?.kind === "StatefulSet") this.#twice(`pod ${key} runs on ${other} and on ${node}`);
    known.set(uid, node);
  }

  end(pod: KubeObject): void {
    this.#running.get(keyOf(pod))?.delete(pod.metadata.uid ?? "");
  }

  /** A node is back, and hears of what was deleted meanwhile. */
  endGone(node: string, uidOf: (key: string) => string | undefined): void {
    for (const [key, known] of this.#running) {
      for (const [uid, at] of known) if (at === node && uidOf(key) !== uid) known.delete(uid);
    }
  }
}

/** The node says that it is ready, if it is not known to be. */
async function beWell(
  { client, clock }: ControllerContext,
  node: KubeObject,
  skewOf: (node: string) => number,
): Promise<void> {
  const ready = listAt(node, "status", "conditions").find((one) => textAt(one, "type") === "Ready");
  if (textAt(ready, "status") === "True") return;
  const { name = "" } = node.metadata;
  const now = timestamp(clock.now() + skewOf(name));
  const condition = { type: "Ready", status: "True", reason: "KubeletReady", message: "", lastTransitionTime: now };
  const others = listAt(node, "status", "conditions").filter(
    (one) => one !== ready && textAt(one, "status") !== "Unknown",
  );
  const status = isObject(node["status"]) ? node["status"] : {};
  const conditions = [...others, { ...condition, lastHeartbeatTime: now }];
  await client.update({ ...NODES, name }, deepCopy({ ...node, status: { ...status, conditions } }), {
    subresource: "status",
  });
}

class PodOnNode {
  readonly #context: ControllerContext;
  readonly #pod: KubeObject;
  /** As the node's clock shows. */
  readonly #now: number;

  constructor(context: ControllerContext, pod: KubeObject, now: number) {
    this.#context = context;
    this.#pod = pod;
    this.#now = now;
  }

  async go(): Promise<void> {
    const phase = textAt(this.#pod, "status", "phase");
    const hasEnded = phase === "Succeeded" || phase === "Failed";
    if (this.#pod.metadata.deletionTimestamp !== undefined) await this.#stop(hasEnded);
    else if (hasEnded) return;
    else if (phase === "Running") await this.#run();
    else await this.#start();
  }

  #duration(name: string, otherwise: number): number {
    const given = this.#pod.metadata.annotations?.[name];
    if (given === undefined) return otherwise;
    try {
      return parseDuration(given) / 1e6;
    } catch {
      return otherwise;
    }
  }

  /** Looks again when so much time has passed since then; whether it has. */
  #isOver(since: string, ms: number): boolean {
    const begin = Number.isNaN(Date.parse(since)) ? this.#now : Date.parse(since);
    const left = begin + ms - this.#now;
    if (left > 0) this.#context.queue.addAfter(keyOf(this.#pod), left);
    return left <= 0;
  }

  async #start(): Promise<void> {
    const bound = listAt(this.#pod, "status", "conditions").find((one) => textAt(one, "type") === "PodScheduled");
    // One that came with its node's name was never bound.
    const since = textAt(bound, "lastTransitionTime") || (this.#pod.metadata.creationTimestamp ?? "");
    if (!this.#isOver(since, this.#duration(STARTS_AFTER, DEFAULT_START_MS))) return;
    const time = timestamp(this.#now);
    await this.#write("Running", true, { running: { startedAt: time } }, { startTime: time });
  }

  async #run(): Promise<void> {
    const ready = listAt(this.#pod, "status", "conditions").find((one) => textAt(one, "type") === "Ready");
    const isLasting = textAt(this.#pod, "spec", "restartPolicy") === "Always";
    if (textAt(ready, "status") !== "True") {
      // Somebody took the node for lost meanwhile.
      const running = { running: { startedAt: textAt(this.#pod, "status", "startTime") } };
      await this.#write("Running", true, running, {});
      return;
    }
    const given = this.#pod.metadata.annotations?.[RUNS_FOR];
    if (isLasting && given === undefined) return;
    if (!this.#isOver(textAt(this.#pod, "status", "startTime"), this.#duration(RUNS_FOR, DEFAULT_RUN_MS))) return;
    const exitCode = Number(this.#pod.metadata.annotations?.[EXIT_CODE] ?? 0);
    if (isLasting) return;
    await this.#end(exitCode);
  }

  async #end(exitCode: number): Promise<void> {
    const finishedAt = timestamp(this.#now);
    const reason = exitCode === 0 ? "Completed" : "Error";
    await this.#write(
      exitCode === 0 ? "Succeeded" : "Failed",
      false,
      { terminated: { exitCode, reason, finishedAt } },
      {},
    );
  }

  async #stop(hasEnded: boolean): Promise<void> {
    const { deletionTimestamp = "", deletionGracePeriodSeconds = 0, finalizers = [] } = this.#pod.metadata;
    const asked = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
    if (!hasEnded && !this.#isOver(new Date(asked).toISOString(), STOP_MS)) return;
    if (!hasEnded && finalizers.length > 0) await this.#end(143);
    if (deletionGracePeriodSeconds === 0 && finalizers.length > 0) return;
    const { namespace = "", name = "", uid = "" } = this.#pod.metadata;
    try {
      await this.#context.client.delete(
        { ...PODS, namespace, name },
        { gracePeriodSeconds: 0, preconditions: { uid } },
      );
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  }

  async #write(phase: string, isReady: boolean, state: JsonObject, more: JsonObject): Promise<void> {
    const { namespace = "", name = "" } = this.#pod.metadata;
    const time = timestamp(this.#now);
    const others = listAt(this.#pod, "status", "conditions").filter((one) => textAt(one, "type") !== "Ready");
    const ready = { type: "Ready", status: isReady ? "True" : "False", lastTransitionTime: time, lastProbeTime: null };
    const containerStatuses = listAt(this.#pod, "spec", "containers").map((container) => ({
      name: textAt(container, "name"),
      image: textAt(container, "image"),
      imageID: "",
      ready: isReady,
      restartCount: 0,
      state: { ...state },
    }));
    const before = valueAt(this.#pod, "status");
    const status = {
      ...(isObject(before) ? before : {}),
      ...more,
      phase,
      conditions: [...others, ready],
      containerStatuses,
    };
    await this.#context.client.update({ ...PODS, namespace, name }, deepCopy({ ...this.#pod, status }), {
      subresource: "status",
    });
  }
}
