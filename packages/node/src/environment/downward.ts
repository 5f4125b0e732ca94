import { InvalidArgument, Unsupported } from "@boxship/base";
import { amount } from "../status/qos.ts";
import { allContainers, type ContainerSpec, type Pod, type ResourceFieldRef } from "../types.ts";

/** What a pod can be told of itself that its object need not have yet. */
export interface PodFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** What the node has to give, for containers without a limit. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** A field of the pod, by the paths that the downward API knows. @throws InvalidArgument for any other */
export function fieldOf(pod: Pod, path: string, { podIPs, hostIPs }: PodFacts): string {
  const { metadata, spec } = pod;
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (map === "labels" || map === "annotations") return metadata[map]?.[key ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name ?? "";
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return quoted(metadata.labels);
    case "metadata.annotations":
      return quoted(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "";
    case "status.hostIP":
      return hostIPs[0] ?? "";
    case "status.hostIPs":
      return hostIPs.join(",");
    case "status.podIP":
      return podIPs[0] ?? "";
    case "status.podIPs":
      return podIPs.join(",");
    default:
      throw new InvalidArgument(`unsupported fieldPath: ${path}`);
  }
}

function quoted(values: Readonly<Record<string, string>> = {}): string {
  const entries = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join("\n");
}

/** A request or limit of a container, in units of the divisor, rounded up. */
export function resourceOf(pod: Pod, own: ContainerSpec | undefined, ref: ResourceFieldRef, facts: PodFacts): string {
  const container = ref.containerName ? allContainers(pod).find(({ name }) => name === ref.containerName) : own;
  if (container === undefined) throw new InvalidArgument(`container ${ref.containerName ?? ""} not found`);
  const [kind = "", ...rest] = ref.resource.split(".");
  const name = rest.join(".");
  if (kind !== "limits" && kind !== "requests") throw new Unsupported(`resource ${ref.resource} is not supported`);
  const { limits = {}, requests = {} } = container.resources ?? {};
  const text = kind === "limits" ? (limits[name] ?? facts.allocatable[name]) : (requests[name] ?? limits[name] ?? "0");
  const divisor = amount(ref.divisor) || 1;
  return String(Math.ceil(amount(text) / divisor - 1e-9));
}
