import { type KubeObject, listAt, textAt, timestamp } from "@boxship/api";
import { type Clock, type Logger, NotFound } from "@boxship/base";
import type { ApiClient, EventRecorder, ObjectRef } from "@boxship/client";
import type { PodInfo } from "./pod/pod-info.ts";

const PODS = { group: "", version: "v1", resource: "pods" } as const;

export const podRef = ({ metadata: { namespace = "", name = "" } }: KubeObject): ObjectRef => ({
  ...PODS,
  namespace,
  name,
});

/** Tells users, in conditions and events, what became of pods. What cannot be told is logged. */
export class Reporter {
  readonly #client: ApiClient;
  readonly #eventsOf: (pod: PodInfo) => EventRecorder;
  readonly #clock: Clock;
  readonly #logger: Logger;

  /** @param eventsOf who tells of a pod, or of what it does to others: its profile's scheduler */
  constructor(client: ApiClient, eventsOf: (pod: PodInfo) => EventRecorder, clock: Clock, logger: Logger) {
    this.#client = client;
    this.#eventsOf = eventsOf;
    this.#clock = clock;
    this.#logger = logger;
  }

  scheduled(pod: PodInfo, nodeName: string): void {
    this.#eventsOf(pod).record(pod.pod, "Normal", "Scheduled", `Successfully assigned ${pod.key} to ${nodeName}`);
  }

  /** @param promised the node that the pod waits for; "" takes a promise back; undefined: as it is */
  async unschedulable(pod: PodInfo, message: string, promised: string | undefined): Promise<void> {
    this.#eventsOf(pod).record(pod.pod, "Warning", "FailedScheduling", message);
    await this.#setCondition(pod.pod, { reason: "Unschedulable", message, promised });
  }

  /** Something else than the cluster's state kept it from its place. */
  async failed(pod: PodInfo, message: string): Promise<void> {
    this.#eventsOf(pod).record(pod.pod, "Warning", "FailedScheduling", message);
    await this.#setCondition(pod.pod, { reason: "SchedulerError", message, promised: undefined });
  }

  preempted(victim: PodInfo, by: PodInfo, nodeName: string): void {
    this.#eventsOf(by).record(victim.pod, "Normal", "Preempted", `Preempted by pod ${by.uid} on node ${nodeName}`);
  }

  async #setCondition(
    pod: KubeObject,
    { reason, message, promised }: { reason: string; message: string; promised: string | undefined },
  ): Promise<void> {
    const before = listAt(pod, "status", "conditions").find((one) => textAt(one, "type") === "PodScheduled");
    const isNews = textAt(before, "reason") !== reason || textAt(before, "message") !== message;
    const isOtherPlace = promised !== undefined && textAt(pod, "status", "nominatedNodeName") !== promised;
    if (!isNews && !isOtherPlace) return;
    const now = timestamp(this.#clock.now());
    const isSameState = textAt(before, "status") === "False";
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason,
      message,
      lastProbeTime: null,
      lastTransitionTime: isSameState ? textAt(before, "lastTransitionTime") : now,
    };
    const patch = {
      metadata: { uid: pod.metadata.uid ?? "" },
      status: { conditions: [condition], ...(promised === undefined ? {} : { nominatedNodeName: promised || null }) },
    };
    try {
      await this.#client.patch(podRef(pod), "strategic", patch, { subresource: "status" });
    } catch (error) {
      if (error instanceof NotFound) return;
      this.#logger.warn("a pod's condition could not be written", { pod: pod.metadata.name, error });
    }
  }
}
