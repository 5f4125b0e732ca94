import { deepEqual, matchesLabels, selectorOfMap } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { PODS, SERVICES } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { Service } from "../types/services.ts";
import { isSelecting } from "./endpoints-of.ts";

export function selects({ spec }: Service, { metadata }: Pod): boolean {
  return matchesLabels(selectorOfMap(spec?.selector ?? {}), metadata.labels);
}

/** Services come when they change, and when a pod does that they select or selected. */
export function watchServices({ informers, queue }: ControllerContext): void {
  const services = informers.of<Service>(SERVICES);
  const add = (service: Service): void => queue.add(keyOf(service));
  services.handle({ added: add, updated: add, deleted: add });
  const touched = (...versions: readonly Pod[]): void => {
    const [pod] = versions;
    for (const service of services.find("namespace", pod?.metadata.namespace ?? "")) {
      if (isSelecting(service) && versions.some((one) => selects(service, one))) add(service);
    }
  };
  informers.of<Pod>(PODS).handle({
    added: (pod) => touched(pod),
    updated: (pod, before) => {
      if (!sameForServices(pod, before)) touched(pod, before);
    },
    deleted: (pod) => touched(pod),
  });
}

function sameForServices(pod: Pod, before: Pod): boolean {
  const seen = ({ metadata, spec, status }: Pod) => ({
    labels: metadata.labels,
    deleted: metadata.deletionTimestamp !== undefined,
    node: spec?.nodeName,
    phase: status?.phase,
    addresses: status?.podIPs,
    address: status?.podIP,
    ready: status?.conditions?.find(({ type }) => type === "Ready")?.status,
  });
  return deepEqual(seen(pod), seen(before));
}

/** The pods that a service selects. */
export function podsOf({ informers }: ControllerContext, service: Service): readonly Pod[] {
  const pods = informers.of<Pod>(PODS).find("namespace", service.metadata.namespace ?? "");
  return pods.filter((pod) => selects(service, pod));
}
