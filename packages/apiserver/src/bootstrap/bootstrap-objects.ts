import type { KubeObject } from "@boxship/api";

export const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

const PRIORITIES: readonly [name: string, value: number, description: string][] = [
  [
    "system-node-critical",
    2_000_001_000,
    "Used for system critical pods that must not be moved from their current node.",
  ],
  [
    "system-cluster-critical",
    2_000_000_000,
    "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  ],
];

/** What every cluster has from its first start, namespaces first. */
export function bootstrapObjects(serviceAddress: string, port: number): readonly KubeObject[] {
  const namespaces = NAMESPACES.map(
    (name): KubeObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }),
  );
  const priorities = PRIORITIES.map(
    ([name, value, description]): KubeObject => ({
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description,
    }),
  );
  return [...namespaces, ...priorities, kubernetesService(serviceAddress, port)];
}

function kubernetesService(clusterIP: string, targetPort: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: { clusterIP, ports: [{ name: "https", port: 443, protocol: "TCP", targetPort }] },
  };
}
