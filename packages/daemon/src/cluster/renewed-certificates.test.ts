import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { textAt, valueAt } from "@boxship/api";
import {
  CertificateRenewal,
  type ClusterCertificates,
  clusterCertificates,
  issueCertificate,
  makeAuthority,
} from "@boxship/apiserver";
import { type Clock, silentLogger, systemClock } from "@boxship/base";
import { FollowServices, openHttpClient } from "@boxship/client";
import { ClusterDnsThread } from "@boxship/dns";
import { serveGrpc, serverSession, unary } from "@boxship/grpc";
import { startApiServer, type TestApiServer, tempDir } from "@boxship/testkit";
import { openMetrics } from "./cluster-metrics.ts";
import { NAMES_METHODS } from "./names-service.ts";
import { serveNames } from "./serve-names.ts";

const DAY = 24 * 3600 * 1000;

let api: TestApiServer;
before(async () => {
  api = await startApiServer();
});
after(() => api?.[Symbol.asyncDispose]());

/** Who the administrator is, and whom he trusts. */
function administrator() {
  const { clusters, users } = JSON.parse(readFileSync(api.kubeconfig, "utf8"));
  const pem = (text: string): string => Buffer.from(text, "base64").toString();
  return {
    server: api.url,
    authority: pem(clusters[0].cluster["certificate-authority-data"]),
    certificate: pem(users[0].user["client-certificate-data"]),
    key: pem(users[0].user["client-key-data"]),
  };
}

test("the thread that answers for names goes on with another certificate where its own is refused", async () => {
  const { certificate, key, ...known } = administrator();
  const foreign = await makeAuthority("others", systemClock.now());
  const subject = { commonName: "kubernetes-admin", organizations: ["system:masters"], usage: "client" } as const;
  const refused = await issueCertificate(foreign, subject, systemClock.now());
  await using thread = new ClusterDnsThread({
    ...known,
    certificate: refused.certificate,
    key: refused.key,
    zone: "cluster.local",
    serviceAddress: "192.0.2.10",
    logger: silentLogger,
  });
  await thread.port;
  let isReady = false;
  void thread.ready.then(() => (isReady = true));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(isReady, false, "nobody is told anything by that certificate");
  thread.renew({ certificate, key });
  await thread.ready;
});

test("the engine hears of the administrator's new certificate, and of no other, so that names are answered meanwhile", async () => {
  await using directory = tempDir();
  let offset = 0;
  const addresses = ["192.0.2.1"];
  const clock: Clock = {
    ...systemClock,
    now: () => Date.now() + offset,
    setTimeout: (ms, callback) => systemClock.setTimeout(ms / 1000, callback),
  };
  const options = { directory: directory.path, clock, addresses: () => addresses };
  await using renewal = new CertificateRenewal(await clusterCertificates(options), {
    ...options,
    logger: silentLogger,
  });
  let told = 0;
  const serve = unary(NAMES_METHODS.serve, () => Promise.resolve({ port: ++told }));
  const end = unary(NAMES_METHODS.end, () => Promise.resolve({}));
  await using engine = createServer((socket) => serveGrpc(serverSession(socket), [serve, end], {}));
  const criSocket = directory.join("engine.sock");
  await once(engine.listen(criSocket), "listening");
  await using client = openHttpClient({ ...administrator(), userAgent: "test" });
  await using services = new FollowServices({ client, logger: silentLogger });
  await using names = new AsyncDisposableStack();
  const signal = new AbortController().signal;
  const clusterDns = { address: "192.0.2.10", domain: "cluster.local" };
  const common = { criSocket, directory: directory.path, server: api.url, clusterDns, client, services };
  await serveNames({ ...common, certificates: renewal, signal, logger: silentLogger }, names);
  const next = async (change: () => void): Promise<number> => {
    const renewed = Promise.withResolvers<void>();
    using _taken = renewal.use(() => renewed.resolve());
    change();
    await renewed.promise;
    return told;
  };
  assert.equal(await next(() => addresses.push("192.0.2.2")), 1, "a bridge has come");
  assert.equal(await next(() => (offset = 340 * DAY)), 2);
});

test("the node's metrics are served by a new certificate when the cluster's are renewed, and still to the API server alone", async () => {
  await using directory = tempDir();
  let offset = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => Date.now() + offset,
    // It looks a thousand times as often.
    setTimeout: (ms, callback) => systemClock.setTimeout(ms / 1000, callback),
  };
  const options = { directory: directory.path, clock };
  const first = await clusterCertificates(options);
  await using renewal = new CertificateRenewal(first, { ...options, logger: silentLogger });
  await using client = openHttpClient({ ...administrator(), userAgent: "test" });
  await using _metrics = openMetrics({
    client,
    certificates: renewal,
    answer: async (_request, response) => void response.end("fine"),
    logger: silentLogger,
  });
  const apiService = {
    group: "apiregistration.k8s.io",
    version: "v1",
    resource: "apiservices",
    name: "v1beta1.metrics.k8s.io",
  } as const;
  const announced = async () => {
    for (;;) {
      const found = await client.get(apiService).catch(() => undefined);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const service = await announced();
  const ca = Buffer.from(textAt(service, "spec", "caBundle"), "base64").toString();
  const port = Number(valueAt(service, "spec", "service", "port"));
  /** The certificate that a new connection is shown, of the authority that was announced. */
  const shown = async (as: { readonly certificate: string; readonly key: string } | undefined): Promise<string> => {
    const identity = as === undefined ? {} : { cert: as.certificate, key: as.key };
    const servername = "boxship-metrics.kube-system.svc";
    const sent = request({ host: "127.0.0.1", port, servername, ca, agent: false, ...identity });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
    response.resume();
    return serial;
  };
  const earlier = await shown(first.frontProxy.client);
  await assert.rejects(shown(undefined));
  const renewed = Promise.withResolvers<ClusterCertificates>();
  using _taken = renewal.use((next) => renewed.resolve(next));
  offset = 340 * DAY;
  const next = await renewed.promise;
  assert.notEqual(next.frontProxy.client.certificate, first.frontProxy.client.certificate);
  // The new ones are of a time that has not come for whoever listens.
  assert.notEqual(await shown(first.frontProxy.client), earlier);
  await assert.rejects(shown(undefined));
  await assert.rejects(shown(first.admin), "of another authority than the front proxy's");
});
