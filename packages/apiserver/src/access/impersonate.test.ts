import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ApiUnderTest, type CallOptions, type Loose, startApi } from "../testing/api-under-test.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

describe("impersonation", () => {
  let api: ApiUnderTest;
  const call = (method: string, path: string, options?: CallOptions) => api.call(method, path, options);
  let count = 0;
  const fresh = (): string => `thing-${count++}`;
  before(async () => {
    api = await startApi();
  });
  after(() => api?.[Symbol.asyncDispose]());

  test("who is made to be another is that one, whatever commas names have", async () => {
    const whoami = async (headers: Record<string, string | string[]>): Promise<Loose> => {
      const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
      const { status, json } = await call("POST", path, {
        body: {},
        headers: { "impersonate-user": "ann", ...headers },
      });
      return status === 201 ? json["status"]["userInfo"] : json;
    };
    const admins = "CN=admins,OU=people, DC=example";
    assert.deepEqual(
      await whoami({
        "impersonate-group": [admins, "b"],
        "impersonate-uid": "7",
        "impersonate-extra-Why%2Fis": ["a, b", "c"],
      }),
      { username: "ann", uid: "7", groups: [admins, "b", "system:authenticated"], extra: { "why/is": ["a, b", "c"] } },
    );
    // Whose groups are told has no other ones.
    assert.equal((await whoami({ "impersonate-group": "system:unauthenticated" }))["reason"], "Forbidden");
    const nobody = await call("GET", CONFIG_MAPS, { headers: { "impersonate-group": "b" } });
    assert.deepEqual([nobody.status, nobody.json["reason"]], [400, "BadRequest"]);
  });

  test("who may be another for some requests alone may be that one for no others", async () => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const give = async (user: string, rules: object[]): Promise<void> => {
      const name = fresh();
      await call("POST", `${rbac}/clusterroles`, { body: { metadata: { name }, rules } });
      const subjects = [{ kind: "User", name: user }];
      const roleRef = { kind: "ClusterRole", name };
      await call("POST", `${rbac}/clusterrolebindings`, { body: { metadata: { name }, subjects, roleRef } });
    };
    const rule = (verb: string, group: string, resource: string, resourceNames?: string[]) => ({
      verbs: [verb],
      apiGroups: [group],
      resources: [resource],
      ...(resourceNames === undefined ? {} : { resourceNames }),
    });
    const own = "authentication.k8s.io";
    const AGENT = "system:serviceaccount:default:agent";
    await give("jane", [rule("*", "", "*")]);
    await give(AGENT, [
      rule("impersonate-on:user-info:list", "", "configmaps"),
      rule("impersonate:user-info", own, "users", ["jane"]),
      rule("impersonate:user-info", own, "groups"),
    ]);
    const core = "/api/v1/namespaces/default";
    await call("POST", "/api/v1/nodes", { body: { metadata: { name: "one" } } });
    await call("POST", `${core}/serviceaccounts`, { body: { metadata: { name: "agent" } } });
    const spec = { serviceAccountName: "agent", nodeName: "one", containers: [{ name: "c", image: "i" }] };
    await call("POST", `${core}/pods`, { body: { metadata: { name: "agent" }, spec } });
    const boundObjectRef = { apiVersion: "v1", kind: "Pod", name: "agent" };
    const asked = await call("POST", `${core}/serviceaccounts/agent/token`, { body: { spec: { boundObjectRef } } });
    const authorization = `Bearer ${asked.json["status"]["token"]}`;
    const asAgent = (path: string, headers: object) =>
      call("GET", path, { anonymous: true, headers: { authorization, ...headers } });
    const as = (name: string, more: object = {}) => ({ "impersonate-user": name, ...more });
    assert.equal((await asAgent(CONFIG_MAPS, as("jane"))).status, 200);
    assert.equal((await asAgent(CONFIG_MAPS, as("jane", { "impersonate-group": "some" }))).status, 200);
    const message = async (path: string, headers: Record<string, string>) =>
      (await asAgent(path, headers)).json["message"];
    assert.equal(
      await message("/api/v1/namespaces/default/pods", as("jane")),
      `pods is forbidden: User "${AGENT}" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "default"`,
    );
    assert.equal(
      await message(CONFIG_MAPS, as("joe")),
      `users.authentication.k8s.io "joe" is forbidden: User "${AGENT}" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope`,
    );
    assert.match(
      await message(CONFIG_MAPS, as("jane", { "impersonate-group": "system:masters" })),
      /impersonating the system:masters group is not allowed$/,
    );
    for (const name of ["system:node:one", "system:serviceaccount:default:default"])
      assert.equal((await asAgent(CONFIG_MAPS, as(name))).status, 403, name);
    await give(AGENT, [
      rule("impersonate-on:serviceaccount:list", "", "configmaps"),
      rule("impersonate:serviceaccount", own, "serviceaccounts", ["default"]),
    ]);
    await give("system:serviceaccount:default:default", [rule("list", "", "configmaps")]);
    assert.equal((await asAgent(CONFIG_MAPS, as("system:serviceaccount:default:default"))).status, 200);
    await give(AGENT, [
      rule("impersonate-on:associated-node:list", "", "*"),
      rule("impersonate:associated-node", own, "nodes"),
    ]);
    assert.equal((await asAgent("/api/v1/services", as("system:node:one"))).status, 200);
    assert.equal((await asAgent("/api/v1/services", as("system:node:two"))).status, 403, "another's node");
    // The verb of old is for everything.
    await give(AGENT, [rule("impersonate", "", "users", ["jane"])]);
    assert.equal((await asAgent("/api/v1/namespaces/default/pods", as("jane"))).status, 200);
  });

  test("roles gather those that all of a selector holds for, and no others", async () => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const part = (tier: string, resource: string) => ({
      metadata: { name: `part-${tier}`, labels: { part: "yes", tier } },
      rules: [{ verbs: ["list"], apiGroups: [""], resources: [resource] }],
    });
    const own = { key: "tier", operator: "In", values: ["a"] };
    const clusterRoleSelectors = [{ matchLabels: { part: "yes" }, matchExpressions: [own] }];
    for (const body of [
      part("a", "configmaps"),
      part("b", "secrets"),
      { metadata: { name: "whole" }, aggregationRule: { clusterRoleSelectors } },
    ])
      assert.equal((await call("POST", `${rbac}/clusterroles`, { body })).status, 201);
    const roleRef = { kind: "ClusterRole", name: "whole" };
    const subjects = [{ kind: "User", name: "gina" }];
    await call("POST", `${rbac}/clusterrolebindings`, { body: { metadata: { name: "whole" }, subjects, roleRef } });
    const headers = { "impersonate-user": "gina" };
    const statusOf = async (resource: string): Promise<number> =>
      (await call("GET", `/api/v1/namespaces/default/${resource}`, { headers })).status;
    assert.deepEqual([await statusOf("configmaps"), await statusOf("secrets")], [200, 403]);
    // Who may write roles gives himself nothing by gathering.
    const writing = { apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles"] };
    const rest = { ...part("c", ""), rules: [{ verbs: ["create", "get", "update"], ...writing }] };
    await call("POST", `${rbac}/clusterroles`, { body: rest });
    const mine = { metadata: { name: "writer" }, subjects, roleRef: { kind: "ClusterRole", name: "part-c" } };
    await call("POST", `${rbac}/clusterrolebindings`, { body: mine });
    const body = { metadata: { name: "all" }, aggregationRule: { clusterRoleSelectors: [{}] } };
    const refused = await call("POST", `${rbac}/clusterroles`, { body, headers });
    const words = 'clusterroles.rbac.authorization.k8s.io "all" is forbidden: ';
    const why = `${words}must have cluster-admin privileges to use the aggregationRule`;
    assert.deepEqual([refused.status, refused.json["message"]], [403, why]);
    const changed = { ...body, metadata: { name: "part-c" }, rules: rest.rules };
    assert.equal((await call("PUT", `${rbac}/clusterroles/part-c`, { body: changed, headers })).status, 403);
  });
});
