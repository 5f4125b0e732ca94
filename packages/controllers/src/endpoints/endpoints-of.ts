import { isIPv6 } from "node:net";
import { isFinished, isReady, isTerminating } from "../shared/pods.ts";
import type { Pod } from "../types/pod.ts";
import type { Endpoint, EndpointPort, Service, ServicePort } from "../types/services.ts";
import type { Node } from "../types/sets.ts";

export type Family = "IPv4" | "IPv6";

/** Pods whose ports are the same numbers, and where they are. */
export interface PortGroup {
  readonly ports: readonly EndpointPort[];
  readonly pods: readonly Pod[];
}

/** Whether a controller of endpoints has something to do with a service. */
export function isSelecting({ spec }: Service): boolean {
  return spec?.selector !== undefined && Object.keys(spec.selector).length > 0 && spec.type !== "ExternalName";
}

export const isHeadless = ({ spec }: Service): boolean => spec?.clusterIP === "None";

export function addressOf({ status }: Pod, family: Family): string | undefined {
  const all = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP === undefined ? [] : [status.podIP]);
  return all.find((ip) => ip !== "" && isIPv6(ip) === (family === "IPv6"));
}

/** Pods that have not ended and have an address, in an order that stays. */
export function reachable(pods: readonly Pod[], family: Family): readonly Pod[] {
  return pods
    .filter((pod) => !isFinished(pod) && addressOf(pod, family) !== undefined)
    .sort((left, right) => ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1));
}

/** A pod's number for a port of the service; undefined where no container has a port of that name. */
function numberOf({ port, targetPort = port, protocol = "TCP" }: ServicePort, pod: Pod): number | undefined {
  if (typeof targetPort === "number") return targetPort;
  const staying = (pod.spec?.initContainers ?? []).filter((one) => one["restartPolicy"] === "Always");
  for (const container of [...(pod.spec?.containers ?? []), ...staying]) {
    const named = container.ports?.find(({ name, protocol: of = "TCP" }) => name === targetPort && of === protocol);
    if (named !== undefined) return named.containerPort;
  }
  return undefined;
}

/** The pods by the ports that they have for the service. A headless service may have none. */
export function groupByPorts(service: Service, pods: readonly Pod[]): readonly PortGroup[] {
  const groups = new Map<string, { readonly ports: EndpointPort[]; readonly pods: Pod[] }>();
  for (const pod of pods) {
    const ports = (service.spec?.ports ?? []).flatMap((port): EndpointPort[] => {
      const number = numberOf(port, pod);
      const { name = "", protocol = "TCP", appProtocol } = port;
      if (number === undefined) return [];
      return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
    });
    if (ports.length === 0 && !isHeadless(service)) continue;
    const key = portsKey(ports);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ports, pods: [pod] });
    else group.pods.push(pod);
  }
  return [...groups.values()];
}

export function portsKey(ports: readonly EndpointPort[] | null | undefined): string {
  return (ports ?? [])
    .map(({ name = "", port = 0, protocol = "", appProtocol = "" }) => `${name}:${port}:${protocol}:${appProtocol}`)
    .sort()
    .join(",");
}

/** How a service reaches a pod. */
export function endpointOf(service: Service, pod: Pod, family: Family, node: Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const zone = node?.metadata.labels?.["topology.kubernetes.io/zone"];
  return {
    addresses: [addressOf(pod, family) ?? ""],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** The time of the last change that is told of, for those who measure how long it took. */
export const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";

export const HEADLESS = "service.kubernetes.io/headless";
