import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { startWorld } from "../testing/world.ts";
import { roleAggregationController } from "./role-aggregation-controller.ts";

const ROLES = { group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles" };

const role = (name: string, labels: Record<string, string>, more: JsonObject): KubeObject => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name, labels },
  ...more,
});

const rule = (resource: string): JsonObject => ({ apiGroups: [""], resources: [resource], verbs: ["get"] });

test("a role that gathers others has their rules, once each, and loses them with them", async () => {
  await using world = await startWorld({ definitions: [roleAggregationController] });
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { part: "yes" } }] };
  await world.client.create(ROLES, role("whole", { more: "yes" }, { rules: [], aggregationRule }));
  const above = { clusterRoleSelectors: [{ matchLabels: { more: "yes" } }] };
  await world.client.create(ROLES, role("above", {}, { rules: [rule("secrets")], aggregationRule: above }));
  await world.client.create(ROLES, role("a", { part: "yes" }, { rules: [rule("pods"), rule("nodes")] }));
  await world.client.create(ROLES, role("b", { part: "yes" }, { rules: [rule("nodes")] }));
  const rules = async (name: string) => (await world.client.get({ ...ROLES, name }))["rules"];
  await world.settle();
  assert.deepEqual(await rules("whole"), [rule("pods"), rule("nodes")]);
  assert.deepEqual(await rules("above"), [rule("pods"), rule("nodes")], "what somebody wrote there by hand goes");
  assert.notDeepEqual(await rules("admin"), [], "the default roles as well");
  await world.client.delete({ ...ROLES, name: "a" });
  await world.settle();
  assert.deepEqual(await rules("whole"), [rule("nodes")]);

  // Roles that gather each other have what the others among them have, and are written once.
  const circle = (number: number): JsonObject => ({
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { circle: String(number) } }] },
    rules: [rule(`own-${number}`)],
  });
  for (const number of [1, 2, 3]) {
    await world.client.create(ROLES, role(`circle-${number}`, { circle: String(number) }, circle((number % 3) + 1)));
  }
  await world.client.create(ROLES, role("leaf", { circle: "2" }, { rules: [rule("leaves")] }));
  const told = world.history.lines.length;
  await world.settle();
  for (const number of [1, 2, 3]) assert.deepEqual(await rules(`circle-${number}`), [rule("leaves")]);
  assert.equal(world.history.lines.slice(told).length, 3);
});
