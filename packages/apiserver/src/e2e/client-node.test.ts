import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreV1Api, CustomObjectsApi, KubeConfig, KubernetesObjectApi, makeInformer } from "@kubernetes/client-node";
import { startApi } from "../testing/api-under-test.ts";

test("upstream's client for JavaScript reads, writes and watches", async () => {
  await using api = await startApi();
  const config = new KubeConfig();
  config.loadFromFile(api.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const namespace = "default";
  const informer = makeInformer(config, "/api/v1/namespaces/default/configmaps", () =>
    core.listNamespacedConfigMap({ namespace }),
  );
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ["add", "update", "delete"] as const) {
    informer.on(event, ({ metadata }) => {
      if (metadata?.name !== "one") return;
      seen.push(event);
      if (event === "delete") resolve();
    });
  }
  await informer.start();
  try {
    const made = await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: "one" }, data: { a: "1" } },
    });
    assert.ok(made.metadata?.creationTimestamp instanceof Date);
    made.data = { a: "2" };
    await core.replaceNamespacedConfigMap({ namespace, name: "one", body: made });
    assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name: "one" })).data, { a: "2" });
    await core.deleteNamespacedConfigMap({ namespace, name: "one" });
    await promise;
  } finally {
    await informer.stop();
  }
  assert.deepEqual(seen, ["add", "update", "delete"]);
  await assert.rejects(core.readNamespacedConfigMap({ namespace, name: "none" }), { code: 404 });
  const objects = KubernetesObjectApi.makeApiClient(config);
  const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "r" }, rules: [] };
  assert.equal((await objects.create(role)).metadata?.name, "r");
  const custom = config.makeApiClient(CustomObjectsApi);
  await assert.rejects(custom.listClusterCustomObject({ group: "example.com", version: "v1", plural: "none" }), {
    code: 404,
  });
});
