import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { listAt, textAt } from "@boxship/api";
import { issueCertificate, makeAuthority } from "@boxship/apiserver";
import type { ApiClient } from "@boxship/client";
import { refOf, resource, SERVICES } from "../shared/resources.ts";

const API_SERVICES = resource("apiregistration.k8s.io", "v1", "apiservices");

const VERSIONS = ["metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"];

/** Answers by path, without the query; who is asked for another one says that there is none. */
export type Metrics = Map<string, (query: URLSearchParams) => readonly object[]>;

/** A server of the three metrics APIs, behind an API server as metrics-server and adapters are. */
export async function startMetricsServer(client: ApiClient): Promise<AsyncDisposable & { readonly metrics: Metrics }> {
  const metrics: Metrics = new Map();
  const now = Date.now();
  const authority = await makeAuthority("metrics-ca", now);
  const { key, certificate } = await issueCertificate(
    authority,
    { commonName: "metrics", usage: "server", names: ["metrics.default.svc"] },
    now,
  );
  const server = createServer({ key, cert: certificate }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "https://metrics");
    const groupVersion = VERSIONS.find((one) => pathname === `/apis/${one}`);
    const items = metrics.get(pathname)?.(searchParams);
    const isThere = groupVersion !== undefined || items !== undefined;
    response.writeHead(isThere ? 200 : 404, { "content-type": "application/json" });
    if (groupVersion !== undefined) {
      response.end(JSON.stringify({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: [] }));
    } else {
      const status = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 };
      response.end(JSON.stringify(isThere ? { kind: "List", apiVersion: "v1", metadata: {}, items } : status));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await announce(client, port, Buffer.from(authority.certificate).toString("base64"));
  return {
    metrics,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Resolves when the API server passes questions on. */
async function announce(client: ApiClient, port: number, caBundle: string): Promise<void> {
  const namespace = "default";
  // An address of the loopback interface is no endpoint, and may be a name.
  const external = { type: "ExternalName", externalName: "127.0.0.1" };
  await client.create(
    { ...SERVICES, namespace },
    { apiVersion: "v1", kind: "Service", metadata: { name: "metrics" }, spec: external },
  );
  const names = VERSIONS.map((one) => {
    const [group = "", version = ""] = one.split("/");
    return { group, version, name: `${version}.${group}` };
  });
  for (const { group, version, name } of names) {
    const service = { name: "metrics", namespace, port };
    const spec = { group, version, groupPriorityMinimum: 100, versionPriority: 100, service, caBundle };
    await client.create(API_SERVICES, {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name },
      spec,
    });
  }
  const waited = new Set(names.map(({ name }) => name));
  for await (const event of client.watch(API_SERVICES)) {
    if (event.type === "BOOKMARK") continue;
    const { name } = refOf(API_SERVICES, event.object);
    const available = listAt(event.object, "status", "conditions").some((one) => textAt(one, "status") === "True");
    if (available) waited.delete(name);
    if (waited.size === 0) return;
  }
}
