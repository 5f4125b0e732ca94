import assert from "node:assert/strict";
import { test } from "node:test";
import { requestInfo } from "./request-info.ts";

const cases: readonly [method: string, path: string, verb: string, resource: string][] = [
  ["GET", "/api/v1/pods", "list", "/v1 pods"],
  ["GET", "/api/v1/namespaces/a/pods?watch=1", "watch", "/v1 a pods"],
  ["GET", "/api/v1/namespaces/a/pods/b?watch=true", "watch", "/v1 a pods b"],
  ["GET", "/api/v1/watch/namespaces/a/pods", "watch", "/v1 a pods"],
  ["GET", "/api/v1/namespaces/a/pods/b/log?watch=true", "get", "/v1 a pods b log"],
  ["PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", "update", "apps/v1 a deployments b scale"],
  ["DELETE", "/api/v1/namespaces/a/configmaps", "deletecollection", "/v1 a configmaps"],
  ["DELETE", "/api/v1/namespaces/a", "delete", "/v1 a namespaces a"],
  ["PUT", "/api/v1/namespaces/a/finalize", "update", "/v1 a namespaces a finalize"],
  ["POST", "/api/v1/namespaces", "create", "/v1 namespaces"],
  ["PATCH", "/api/v1/nodes/n", "patch", "/v1 nodes n"],
  ["GET", "/apis/apps/v1", "get", ""],
  ["GET", "/healthz", "get", ""],
  ["GET", "/api/v1/namespaces/a/services/web:80/proxy/x/y", "get", "/v1 a services web:80 proxy"],
];

test("a request's method and path say what it is about", () => {
  for (const [method, path, verb, wanted] of cases) {
    const url = new URL(path, "https://x");
    const info = requestInfo(method, url.pathname, url.searchParams);
    const { group, version, namespace, resource, name, subresource } = info?.resource ?? {};
    const found = [`${group}/${version}`, namespace, resource, name, subresource].filter(Boolean).join(" ");
    assert.deepEqual([info?.verb, info?.resource === undefined ? "" : found], [verb, wanted], `${method} ${path}`);
  }
  assert.equal(requestInfo("GET", "/api/v1/%zz", new URLSearchParams()), undefined);
});

test("what is behind a proxy begins after its word, and ends as it ended", () => {
  const paths = { "": "", "/": "/", "/x": "/x", "/x/y/": "/x/y/", "/x%20y//z": "/x y/z" };
  for (const [asked, wanted] of Object.entries(paths)) {
    const info = requestInfo("GET", `/api/v1/namespaces/a/pods/b/proxy${asked}`, new URLSearchParams());
    assert.equal(info?.resource?.path, wanted, asked);
  }
});
