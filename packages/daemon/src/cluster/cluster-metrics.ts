import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { textAt, valueAt } from "@boxship/api";
import { type CertificateRenewal, issueCertificate, makeAuthority } from "@boxship/apiserver";
import { AlreadyExists, type Logger, systemClock } from "@boxship/base";
import type { ApiClient } from "@boxship/client";

export interface OpenMetricsOptions {
  /** An administrator's. */
  readonly client: ApiClient;
  readonly certificates: CertificateRenewal;
  /** Never rejects. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly logger: Logger;
}

const NAMESPACE = "kube-system";
const NAME = "boxship-metrics";

/**
 * Serves `metrics.k8s.io` behind the API server, as a metrics server in a pod would be: at an address that nobody else comes to, by a
 * certificate of an authority of this run, for the API server's client certificate alone. An APIService of somebody else's stays. Nobody waits for it.
 */
export function openMetrics(options: OpenMetricsOptions): AsyncDisposable {
  let ended = false;
  const serving = serve(options).catch((error: unknown) => {
    if (!ended) options.logger.warn("metrics of the node are not served", { error });
  });
  return {
    async [Symbol.asyncDispose]() {
      ended = true;
      await (await serving)?.[Symbol.asyncDispose]();
    },
  };
}

async function serve({ client, certificates, answer }: OpenMetricsOptions): Promise<AsyncDisposable> {
  const authority = await makeAuthority("boxship-metrics-ca", systemClock.now());
  const subject = { commonName: NAME, usage: "server", names: [`${NAME}.${NAMESPACE}.svc`] } as const;
  const ca = certificates.current.frontProxy.authority;
  const issued = async () => {
    const { key, certificate } = await issueCertificate(authority, subject, systemClock.now());
    return { key, cert: certificate, ca };
  };
  const trust = { requestCert: true, rejectUnauthorized: true, ...(await issued()) };
  const server = createServer(trust, (request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await announce(client, port, Buffer.from(authority.certificate).toString("base64"));
  // The cluster's own last no longer than this one: whenever they are renewed is soon enough.
  const renewing = certificates.use(async () => server.setSecureContext(await issued()));
  return {
    async [Symbol.asyncDispose]() {
      renewing[Symbol.dispose]();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const SERVICES = { group: "", version: "v1", resource: "services", namespace: NAMESPACE } as const;
const API_SERVICES = { group: "apiregistration.k8s.io", version: "v1", resource: "apiservices" } as const;

async function announce(client: ApiClient, port: number, caBundle: string): Promise<void> {
  const metadata = { name: NAME, namespace: NAMESPACE };
  // No endpoint may be on the loopback, and nobody else is to reach it. Not every machine can say what `localhost` is.
  const spec = { type: "ExternalName", externalName: "127.0.0.1" };
  await client.create(SERVICES, { apiVersion: "v1", kind: "Service", metadata, spec }).catch(ifThere);
  const before = await client.get({ ...SERVICES, name: NAME });
  if (textAt(before, "spec", "externalName") !== spec.externalName) {
    // Of a cluster that is older than that.
    const none = { clusterIP: null, clusterIPs: null, ports: null, ipFamilies: null, ipFamilyPolicy: null };
    const rest = { internalTrafficPolicy: null, sessionAffinity: null };
    await client.patch({ ...SERVICES, name: NAME }, "merge", { spec: { ...none, ...rest, ...spec } });
  }
  const name = "v1beta1.metrics.k8s.io";
  const own = { name: NAME, namespace: NAMESPACE, port };
  const served = { group: "metrics.k8s.io", version: "v1beta1", groupPriorityMinimum: 100, versionPriority: 100 };
  await client
    .create(API_SERVICES, {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name },
      spec: { ...served, service: own, caBundle },
    })
    .catch(ifThere);
  const there = await client.get({ ...API_SERVICES, name });
  if (textAt(there, "spec", "service", "name") !== NAME) return;
  if (textAt(there, "spec", "caBundle") !== caBundle || valueAt(there, "spec", "service", "port") !== port) {
    await client.patch({ ...API_SERVICES, name }, "merge", { spec: { caBundle, service: own } });
  }
}

function ifThere(error: unknown): void {
  if (!(error instanceof AlreadyExists)) throw error;
}
