import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { test } from "node:test";
import { connect } from "node:tls";
import { type Clock, silentLogger, systemClock, Unavailable } from "@boxship/base";
import { type ApiUnderTest, startApi } from "../testing/api-under-test.ts";
import { CertificateRenewal } from "./certificate-renewal.ts";
import { type ClusterCertificates, FRONT_PROXY_CLIENT } from "./cluster-certificates.ts";

const DAY = 24 * 3600 * 1000;

/** The certificate that a new connection is shown, of the cluster's authority; its time may be one that is yet to come. */
async function shown(api: ApiUnderTest): Promise<X509Certificate> {
  const { authority, admin } = api.certificates;
  const identity = { ca: authority, cert: admin.certificate, key: admin.key };
  const socket = connect({ port: api.port, host: "127.0.0.1", ...identity, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const found = socket.getPeerX509Certificate();
  socket.destroy();
  assert.ok(found !== undefined && found.checkIssued(new X509Certificate(authority)));
  return found;
}

test("a server takes new certificates up while it runs: before they end, and when the machine is called otherwise", async () => {
  let offset = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + offset };
  await using api = await startApi({ clock });
  const addresses = ["192.0.2.1"];
  await using renewal = new CertificateRenewal(api.certificates, {
    directory: api.directory.join("pki"),
    // It looks a thousand times as often.
    clock: { ...clock, setTimeout: (ms, callback) => systemClock.setTimeout(ms / 1000, callback) },
    logger: silentLogger,
    addresses: () => addresses,
  });
  using _serving = renewal.use((renewed) => api.server().renew(renewed));
  const taken: ClusterCertificates[] = [];
  let failing = 0;
  let next = Promise.withResolvers<ClusterCertificates>();
  using _taken = renewal.use((renewed) => {
    if (failing-- > 0) throw new Unavailable("not now");
    taken.push(renewed);
    next.resolve(renewed);
  });
  const renewed = (): Promise<ClusterCertificates> => {
    next = Promise.withResolvers();
    return next.promise;
  };

  const first = api.certificates;
  const { authority, admin } = first;
  const identity = { ca: authority, cert: admin.certificate, key: admin.key };
  const session = connectHttp2(api.url, identity);
  const ask = async (path: string, body?: object): Promise<number> => {
    const method = body === undefined ? "GET" : "POST";
    const stream = session.request({ ":path": path, ":method": method, "content-type": "application/json" });
    if (body !== undefined) stream.end(JSON.stringify(body));
    const [head] = (await once(stream, "response")) as [{ ":status": number }];
    stream.close();
    return head[":status"];
  };
  const maps = "/api/v1/namespaces/default/configmaps";
  assert.equal(await ask(maps), 200);
  const watching = await api.stream("/api/v1/configmaps?watch=1");

  const moving = renewed();
  failing = 2;
  addresses.push("192.0.2.77");
  const moved = await moving;
  assert.match(new X509Certificate(moved.server.certificate).subjectAltName ?? "", /IP Address:192\.0\.2\.77/);
  assert.deepEqual([moved.admin, moved.frontProxy], [first.admin, first.frontProxy]);
  assert.notEqual((await shown(api)).checkIP("192.0.2.77"), undefined);

  const waiting = renewed();
  offset = 340 * DAY;
  const later = await waiting;
  for (const [now, before] of [
    [later.server, moved.server],
    [later.admin, first.admin],
    [later.frontProxy.client, first.frontProxy.client],
  ] as const) {
    assert.notEqual(now.certificate, before.certificate);
  }
  assert.deepEqual([later.authority, later.frontProxy.authority], [first.authority, first.frontProxy.authority]);
  assert.ok((await shown(api)).raw.equals(new X509Certificate(later.server.certificate).raw));
  assert.equal(new X509Certificate(later.frontProxy.client.certificate).subject, `CN=${FRONT_PROXY_CLIENT}`);

  // What was there goes on: the connection, and the watch on another.
  assert.equal(await ask(maps), 200);
  const heard = once(watching, "data");
  assert.equal(await ask(maps, { metadata: { name: "a" } }), 201);
  assert.match(String(await heard), /"ADDED"/);
  watching.destroy();

  assert.deepEqual(taken, [moved, later], "nothing is made where nothing has changed");

  offset = 366 * DAY;
  assert.equal(await ask(maps), 401, "a connection that lasts longer than its certificate has nobody's word");
  session.close();
});
