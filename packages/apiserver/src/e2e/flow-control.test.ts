import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Loose, startApi } from "../testing/api-under-test.ts";

const FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const MAPS = "/api/v1/namespaces/default/configmaps";

test("a level has its seats and its queues; who finds none is refused, and administrators never wait", async () => {
  // So few seats that a level of one share has one.
  await using api = await startApi({ flowControl: { seats: 20, patience: 400 } });
  const levels = (await api.call("GET", `${FLOW}/prioritylevelconfigurations`)).json.items;
  assert.equal(levels.length, 8);
  assert.equal((await api.call("GET", `${FLOW}/flowschemas`)).json.items.length, 13);
  const made = async (path: string, body: unknown): Promise<string> => {
    const { status, text, json } = await api.call("POST", path, { body });
    assert.equal(status, 201, text);
    return json.metadata.uid;
  };
  const queuing = { queues: 1, handSize: 1, queueLengthLimit: 1 };
  const limited = {
    nominalConcurrencyShares: 1,
    borrowingLimitPercent: 0,
    limitResponse: { type: "Queue", queuing },
  };
  const levelUid = await made(`${FLOW}/prioritylevelconfigurations`, {
    metadata: { name: "narrow" },
    spec: { type: "Limited", limited },
  });
  const subjects = [{ kind: "User", user: { name: "jane" } }];
  const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"] };
  const schemaUid = await made(`${FLOW}/flowschemas`, {
    metadata: { name: "janes" },
    spec: {
      matchingPrecedence: 50,
      priorityLevelConfiguration: { name: "narrow" },
      distinguisherMethod: { type: "ByUser" },
      rules: [{ subjects, resourceRules: [everything] }],
    },
  });
  await made(`${RBAC}/clusterrolebindings`, {
    metadata: { name: "jane" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "jane" }],
  });

  const read = (name: string) => readFileSync(api.directory.join(`pki/${name}`), "utf8");
  const agent = new Agent({ ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") });
  const headers = { "impersonate-user": "jane", "content-type": "application/json" };
  const metric = async (name: string): Promise<number> => {
    const { text } = await api.call("GET", "/metrics");
    return Number(new RegExp(`^apiserver_flowcontrol_${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  };
  /** Has a seat as long as its body is not there. */
  const slow = (
    name: string,
  ): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage>; end(): void } => {
    const body = JSON.stringify({ metadata: { name } });
    const length = Buffer.byteLength(body);
    const sent = request(`${api.url}${MAPS}`, {
      method: "POST",
      agent,
      headers: { ...headers, "content-length": length },
    });
    sent.flushHeaders();
    const answer = once(sent, "response").then(([response]) => (response as IncomingMessage).resume());
    return { sent, answer, end: () => void sent.end(body) };
  };
  const reached = async (name: string, value: number): Promise<void> => {
    for (let tries = 0; (await metric(name)) !== value; tries++) {
      assert.ok(tries < 200, `${name} is ${await metric(name)}`);
      await delay(10);
    }
  };
  const narrow = 'priority_level="narrow"';

  const first = slow("first");
  await reached(`current_executing_requests{${narrow}}`, 1);
  const second = slow("second");
  await reached(`current_inqueue_requests{${narrow}}`, 1);
  const third = await api.call("GET", MAPS, { headers: { "impersonate-user": "jane" } });
  assert.deepEqual([third.status, third.json.reason, third.headers["retry-after"]], [429, "TooManyRequests", "1"]);
  assert.equal((await api.call("GET", MAPS)).status, 200);
  first.end();
  const answered = await first.answer;
  assert.equal(answered.statusCode, 201);
  assert.equal(answered.headers["x-kubernetes-pf-flowschema-uid"], schemaUid);
  assert.equal(answered.headers["x-kubernetes-pf-prioritylevel-uid"], levelUid);
  await reached(`current_inqueue_requests{${narrow}}`, 0);
  const late = slow("late");
  late.end();
  assert.equal((await late.answer).statusCode, 429);
  second.end();
  assert.equal((await second.answer).statusCode, 201);
  await reached(`current_executing_requests{${narrow}}`, 0);
  assert.equal(await metric(`rejected_requests_total{${narrow},reason="queue-full"}`), 1);
  assert.equal(await metric(`rejected_requests_total{${narrow},reason="time-out"}`), 1);

  const dangling = async (): Promise<unknown> => {
    const { conditions = [] } = (await api.call("GET", `${FLOW}/flowschemas/janes`)).json.status;
    return conditions.map(({ type, status, reason, message }: Loose) => [type, status, reason, message]);
  };
  const named = 'This FlowSchema references the PriorityLevelConfiguration object named "narrow"';
  const told = async (...wanted: readonly string[]): Promise<void> => {
    for (let tries = 0; !isDeepStrictEqual(await dangling(), [["Dangling", ...wanted]]); tries++) {
      assert.ok(tries < 500, JSON.stringify(await dangling()));
      await delay(10);
    }
  };
  await told("False", "Found", `${named} and it exists`);
  const level = (await api.call("GET", `${FLOW}/prioritylevelconfigurations/narrow`)).json;
  assert.equal((await api.call("DELETE", `${FLOW}/prioritylevelconfigurations/narrow`)).status, 200);
  await told("True", "NotFound", `${named} but there is no such object`);
  await made(`${FLOW}/prioritylevelconfigurations`, { metadata: { name: "narrow" }, spec: level.spec });
  await told("False", "Found", `${named} and it exists`);

  // A level of sixteen seats lets one request have three; who writes before thirty who watch takes them, and its answer goes first.
  const shares = { ...limited, nominalConcurrencyShares: 1000 };
  const broadSpec = { type: "Limited", limited: shares };
  await made(`${FLOW}/prioritylevelconfigurations`, { metadata: { name: "broad" }, spec: broadSpec });
  await api.call("PATCH", `${FLOW}/flowschemas/janes`, {
    body: { spec: { priorityLevelConfiguration: { name: "broad" } } },
    headers: { "content-type": "application/merge-patch+json" },
  });
  const watches = await Promise.all(Array.from({ length: 30 }, () => api.stream(`${MAPS}?watch=1`)));
  const broad = 'priority_level="broad"';
  const watched = slow("watched");
  await reached(`current_executing_requests{${broad}}`, 1);
  await reached(`current_executing_seats{${broad}}`, 3);
  watched.end();
  assert.equal((await watched.answer).statusCode, 201);
  await reached(`current_executing_seats{${broad}}`, 0);
  for (const one of watches) one.destroy();
  agent.destroy();
  // A watch gives its seat back when it has begun.
  const watch = await api.call("GET", `${MAPS}?watch=1&timeoutSeconds=1`, { headers: { "impersonate-user": "jane" } });
  assert.equal(watch.status, 200);
});
