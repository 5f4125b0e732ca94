import assert from "node:assert/strict";
import { test } from "node:test";
import { kubectl, manyCrd } from "@boxship/testkit";
import { startApi } from "../testing/api-under-test.ts";

const COUNT = 300;
const CLIENTS = 4;
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

test("300 definitions are served as soon as they are made, and kubectl finds its way among them", {
  timeout: 300_000,
}, async (t) => {
  await using api = await startApi();
  const slowest = { create: 0, serve: 0 };
  let next = 0;
  const client = async (): Promise<void> => {
    for (let index = next++; index < COUNT; index = next++) {
      const crd = manyCrd(index);
      const group = `g${Math.floor(index / 10)}.many.example.com`;
      const started = performance.now();
      assert.equal((await api.call("POST", CRDS, { body: crd })).status, 201);
      const created = performance.now();
      // Without waiting: a client that waits for the condition Established would come later.
      for (;;) {
        const { status } = await api.call("GET", `/apis/${group}/v1/namespaces/default/widgets${index}`);
        if (status === 200) break;
        assert.equal(status, 404);
      }
      slowest.create = Math.max(slowest.create, created - started);
      slowest.serve = Math.max(slowest.serve, performance.now() - created);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  t.diagnostic(`${Math.round(performance.now() - started)} ms for all; ${JSON.stringify(slowest)}`);

  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    const took = performance.now() - from;
    t.diagnostic(`${what}: ${Math.round(took)} ms`);
    // Far more than it takes, and far less than a look at each definition would.
    assert.ok(took < 5000, `${what} took ${took} ms`);
    return result;
  };
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const { json, headers } = await timed("discovery", () =>
    api.call("GET", "/apis", { headers: { accept: aggregated } }),
  );
  const resources = json.items.flatMap(
    (group: { versions: { resources: unknown[] }[] }) => group.versions[0]?.resources,
  );
  assert.ok(resources.length > COUNT);
  const again = { accept: aggregated, "if-none-match": String(headers["etag"]) };
  assert.equal((await timed("the same again", () => api.call("GET", "/apis", { headers: again }))).status, 304);
  await timed("OpenAPI of one group", () => api.call("GET", "/openapi/v3/apis/g7.many.example.com/v1"));

  const run = kubectl(api.kubeconfig, api.directory.join("home"));
  if (run === undefined) return;
  const k = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await timed(`kubectl ${args.join(" ")}`, () => run(args));
    assert.equal(status, 0, stderr);
    return stdout;
  };
  assert.equal(
    (await k("api-resources", "-o", "name")).split("\n").filter((line) => line.includes("many")).length,
    COUNT,
  );
  assert.equal(await k("get", "w123"), "");
  const made = {
    apiVersion: "g29.many.example.com/v1",
    kind: "Widget299",
    metadata: { name: "one" },
    spec: { name: "a" },
  };
  const { status, stderr } = await timed("kubectl apply", () =>
    run(["apply", "-f", "-"], { input: JSON.stringify(made) }),
  );
  assert.equal(status, 0, stderr);
  assert.match(await k("get", "widgets299"), /^NAME +MODE\none +Auto\n$/);
  assert.match(await k("explain", "widgets299.spec.nested.nested.size"), /FIELD: size/);
  await api.restart();
  assert.match(await k("get", "w299"), /one/);
});
