import type { Json, JsonObject } from "@boxship/api";
import type { ApiClient } from "@boxship/client";

const MANAGER = "boxship";
const SERVICE_NAME = "kubernetes.io/service-name";

export interface OwnServices {
  /** Of this node. */
  readonly address: string;
  /** Where the API listens. */
  readonly apiPort: number;
  /** Where the cluster's name server listens. */
  readonly dnsPort: number;
  /** The address of its service. */
  readonly dnsAddress: string;
}

/** Tells of what this process serves itself, as endpoints at the node's address. */
export async function publishOwnServices(client: ApiClient, own: OwnServices): Promise<void> {
  const { address, apiPort, dnsPort } = own;
  const dns = dnsService(own.dnsAddress);
  const ports = [{ name: "https", port: apiPort, protocol: "TCP" }];
  await publishEndpoints(client, { namespace: "default", name: "kubernetes" }, address, ports);
  await apply(client, dns);
  await publishEndpoints(client, dns.metadata, address, [
    { name: "dns", port: dnsPort, protocol: "UDP" },
    { name: "dns-tcp", port: dnsPort, protocol: "TCP" },
  ]);
}

const dnsService = (clusterIP: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "kube-dns",
    namespace: "kube-system",
    labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" },
  },
  spec: {
    clusterIP,
    ports: [
      { name: "dns", port: 53, protocol: "UDP" },
      { name: "dns-tcp", port: 53, protocol: "TCP" },
    ],
  },
});

/** The endpoint of a service without a selector, in both forms in which it is read. */
async function publishEndpoints(
  client: ApiClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  address: string,
  ports: JsonObject[],
): Promise<void> {
  // No endpoint may be there; the services lead to this process all the same.
  if (address.startsWith("127.")) return;
  await apply(client, {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name, namespace, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: address }], ports }],
  });
  await apply(client, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace, labels: { [SERVICE_NAME]: name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  });
}

const COLLECTIONS: Readonly<Record<string, readonly [group: string, resource: string]>> = {
  Service: ["", "services"],
  Endpoints: ["", "endpoints"],
  EndpointSlice: ["discovery.k8s.io", "endpointslices"],
};

async function apply(
  client: ApiClient,
  object: JsonObject & { kind: string; metadata: { name: string; namespace: string; labels?: Json } },
): Promise<void> {
  const [group = "", resource = ""] = COLLECTIONS[object.kind] ?? [];
  const { name, namespace } = object.metadata;
  const ref = { group, version: "v1", resource, namespace, name };
  await client.patch(ref, "apply", object, { fieldManager: MANAGER, force: true });
}
