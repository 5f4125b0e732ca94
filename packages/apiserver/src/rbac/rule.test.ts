import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyRule } from "@boxship/api/rules";
import { requestInfo } from "../http/request-info.ts";
import { ruleAllows } from "./rule.ts";

const pods: PolicyRule = { verbs: ["get", "list"], apiGroups: [""], resources: ["pods"] };
const cases: readonly [rule: PolicyRule, method: string, path: string, allowed: boolean][] = [
  [pods, "GET", "/api/v1/namespaces/a/pods/b", true],
  [pods, "DELETE", "/api/v1/namespaces/a/pods/b", false],
  [pods, "GET", "/api/v1/namespaces/a/pods/b/log", false],
  [pods, "GET", "/apis/apps/v1/namespaces/a/pods", false],
  [{ ...pods, resources: ["*/log"] }, "GET", "/api/v1/namespaces/a/pods/b/log", true],
  [{ ...pods, resources: ["pods/log"] }, "GET", "/api/v1/namespaces/a/pods/b/log", true],
  [{ ...pods, resourceNames: ["x"] }, "GET", "/api/v1/namespaces/a/pods/b", false],
  [{ ...pods, resourceNames: ["b"] }, "GET", "/api/v1/namespaces/a/pods/b", true],
  [{ verbs: ["get"], nonResourceURLs: ["/healthz/*"] }, "GET", "/healthz/etcd", true],
  [{ verbs: ["get"], nonResourceURLs: ["/healthz"] }, "GET", "/healthz/etcd", false],
  [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, "PUT", "/apis/x.y/v1/things/z", true],
  [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, "GET", "/metrics", false],
];

test("rules allow what they name and nothing else", () => {
  for (const [rule, method, path, allowed] of cases) {
    const info = requestInfo(method, path, new URLSearchParams());
    assert.ok(info !== undefined);
    assert.equal(ruleAllows(rule, { ...info, user: { name: "a", groups: [] } }), allowed, `${method} ${path}`);
  }
});
