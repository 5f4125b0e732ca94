import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { encodeProtobuf } from "@boxship/api";
import { FakeClock, InvalidArgument, type Logger, silentLogger, systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { type Loose, startApi } from "../testing/api-under-test.ts";
import { startHttps } from "../testing/https-under-test.ts";
import { AuditLog } from "./audit-log.ts";
import { AuditPolicy } from "./audit-policy.ts";
import { AuditWebhook } from "./audit-webhook.ts";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ["/livez*"]
- level: RequestResponse
  verbs: [create, patch]
  resources: [{ group: "", resources: [configmaps, secrets, serviceaccounts/token] }]
- level: Request
  users: [ann]
  namespaces: [default]
- level: Metadata
  resources: [{ group: "" }]
`;

test("requests are written down as the policy says, and no secret with them", async () => {
  await using directory = tempDir();
  const path = directory.join("audit.log");
  const policy = AuditPolicy.parse(POLICY);
  await using remote = await startHttps(() => ({}));
  {
    const webhook = { url: `${remote.url}/audit`, client: { ca: remote.authority }, headers: {} };
    await using audit = await AuditLog.open({ policy, path, webhook, clock: systemClock, logger: silentLogger });
    await using api = await startApi({ audit });
    const core = "/api/v1/namespaces/default";
    await api.call("GET", "/livez");
    await api.call("GET", "/version");
    const body = { metadata: { name: "a" }, data: { x: "plain" } };
    const { headers } = await api.call("POST", `${core}/configmaps`, { body, headers: { "audit-id": "mine" } });
    assert.equal(headers["audit-id"], "mine");
    const yaml = { "content-type": "application/yaml" };
    await api.call("POST", `${core}/configmaps`, { body: "metadata: {name: typed}\ndata: {x: typed}", headers: yaml });
    const packed = encodeProtobuf("core.v1.ConfigMap", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "p" },
    });
    const protobuf = { "content-type": "application/vnd.kubernetes.protobuf" };
    await api.call("POST", `${core}/configmaps`, { body: packed, headers: protobuf });
    await api.call("POST", `${core}/secrets`, { body: { metadata: { name: "s" }, stringData: { x: "hidden" } } });
    await api.call("POST", `${core}/serviceaccounts/default/token`, { body: {} });
    await api.call("GET", `${core}/pods`, { headers: { "impersonate-user": "ann" } });
    await api.call("GET", `${core}/pods`, { anonymous: true, headers: { authorization: "Bearer wrong-token" } });
    await api.call("GET", `${core}/configmaps?watch=1&timeoutSeconds=1`);
  }
  const text = await readFile(path, "utf8");
  const events: Loose[] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const seen = events.map((one) => [one.stage, one.level, one.verb, one.objectRef?.resource, one.responseStatus.code]);
  assert.deepEqual(seen, [
    ["ResponseComplete", "RequestResponse", "create", "configmaps", 201],
    ["ResponseComplete", "RequestResponse", "create", "configmaps", 201],
    ["ResponseComplete", "RequestResponse", "create", "configmaps", 201],
    ["ResponseComplete", "Metadata", "create", "secrets", 201],
    ["ResponseComplete", "Metadata", "create", "serviceaccounts", 201],
    ["ResponseComplete", "Metadata", "list", "pods", 403],
    ["ResponseComplete", "Metadata", "list", "pods", 401],
    ["ResponseStarted", "Metadata", "watch", "configmaps", 200],
    ["ResponseComplete", "Metadata", "watch", "configmaps", 200],
  ]);
  const [made, typed, unpacked, , , refused] = events;
  assert.deepEqual(typed.requestObject, { metadata: { name: "typed" }, data: { x: "typed" } }, "as it was sent");
  assert.deepEqual([unpacked.requestObject.kind, unpacked.requestObject.metadata], ["ConfigMap", { name: "p" }]);
  assert.equal(made.responseObject.metadata.managedFields, undefined);
  assert.deepEqual([made.requestObject.data, made.responseObject.data], [{ x: "plain" }, { x: "plain" }]);
  assert.deepEqual(
    [made.user.username, made.objectRef, made.sourceIPs, made.apiVersion],
    [
      "kubernetes-admin",
      { resource: "configmaps", namespace: "default", apiVersion: "v1" },
      ["127.0.0.1"],
      "audit.k8s.io/v1",
    ],
  );
  assert.deepEqual([refused.impersonatedUser.username, refused.responseStatus.reason], ["ann", "Forbidden"]);
  assert.deepEqual([made.auditID, refused.auditID.length], ["mine", 36]);
  assert.deepEqual(
    [made, refused].map(({ annotations }) => annotations["authorization.k8s.io/decision"]),
    ["allow", "forbid"],
  );
  const sent = remote.received.flatMap((list) => list.items);
  assert.deepEqual(
    sent.map(({ auditID, stage }) => [auditID, stage]),
    events.map(({ auditID, stage }) => [auditID, stage]),
  );
  assert.doesNotMatch(text, /hidden|aGlkZGVu|eyJ|wrong-token/);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("a webhook that is slow costs no more memory than it may, and has what came last", async () => {
  await using remote = await startHttps(() => ({}));
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (message) => void errors.push(message) };
  const server = { url: remote.url, client: { ca: remote.authority }, headers: {} };
  const event = (index: number, size: number): string =>
    JSON.stringify({ auditID: String(index), text: "x".repeat(size) });
  const COUNT = 90;
  {
    await using webhook = new AuditWebhook(server, systemClock, logger);
    // One that is too large is not sent, and is nothing that others wait for.
    webhook.send(event(-1, 70 * 2 ** 20));
    for (let index = 0; index < COUNT; index++) webhook.send(event(index, 2 ** 20));
  }
  const sent = remote.received.flatMap((list) => list.items.map(({ auditID }: Loose) => Number(auditID)));
  assert.ok(sent.length > 50 && sent.length < 64, String(sent.length));
  assert.deepEqual(
    sent,
    sent.map((_, at) => COUNT - sent.length + at),
  );
  assert.ok(remote.received.every((list) => list.items.length < 8));
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", new RegExp(`^${COUNT + 1 - sent.length} audit events could not be sent`));
});

test("a webhook that takes and says nothing holds up no end", async () => {
  // Whoever connects is not even greeted.
  await using silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (message) => void errors.push(message) };
  const clock = new FakeClock();
  const server = { url: `https://127.0.0.1:${(silent.address() as AddressInfo).port}`, client: {}, headers: {} };
  const webhook = new AuditWebhook(server, clock, logger);
  for (let index = 0; index < 900; index++) webhook.send("{}");
  const connected = once(silent, "connection");
  await clock.advance(1000);
  const [socket] = (await connected) as [Socket];
  const ended = webhook[Symbol.asyncDispose]();
  await clock.advance(5000);
  await ended;
  socket.destroy();
  assert.equal(
    errors.reduce((sum, words) => sum + Number.parseInt(words, 10), 0),
    900,
  );
});

test("policies that are none are refused", () => {
  const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
  for (const text of [
    "kind: Policy",
    head,
    `${head}rules: [{level: All}]`,
    `${head}rules: [{level: None, other: 1}]`,
    `${head}omitStages: [X]\nrules: [{level: None}]`,
    `${head}omitStages: []\nomitManagedField: true\nrules: [{level: None}]`,
    `${head}rules: [{level: None, omitManagedFields: "yes"}]`,
    "{",
  ])
    assert.throws(() => AuditPolicy.parse(text), InvalidArgument, text);
});
