import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ROUTES } from "../routes/index.ts";
import { type PathPattern, Router } from "./router.ts";
import { pathVersion } from "./version.ts";

test("literals before parameters, greedy names last", () => {
  const paths: readonly PathPattern[] = [
    "/c/json",
    "/c/{id}",
    "/c/{id}/json",
    "/i/json",
    "/i/{name*}",
    "/i/{name*}/json",
  ];
  const router = new Router(paths.map((path) => ({ method: "GET", path })));
  const cases: readonly [string, string | undefined, Record<string, string>][] = [
    ["/c/json", "/c/json", {}],
    ["/c/x", "/c/{id}", { id: "x" }],
    ["/c/json/json", "/c/{id}/json", { id: "json" }],
    ["/c/x/y", undefined, {}],
    ["/c/", undefined, {}],
    ["/i/json", "/i/json", {}],
    ["/i/a/b/json", "/i/{name*}/json", { name: "a/b" }],
    ["/i/a/b", "/i/{name*}", { name: "a/b" }],
    ["/i/json/json", "/i/{name*}/json", { name: "json" }],
    ["/i/", undefined, {}],
    ["/", undefined, {}],
  ];
  for (const [path, route, params] of cases) {
    const match = router.find("GET", path);
    assert.equal(match?.route.path, route, path);
    if (match !== undefined) assert.deepEqual({ ...match.params }, params);
  }
  assert.equal(router.find("POST", "/c/json"), undefined);
});

test("every route is found by its own path, whatever the names in it", () => {
  const router = new Router(ROUTES);
  const segment = fc.stringMatching(/^[a-z0-9][a-z0-9_.:@-]{0,20}$/);
  fc.assert(
    fc.property(fc.constantFrom(...ROUTES), segment, segment, (route, one, two) => {
      const path = route.path.replace(/\{\w+\*\}/, `${one}/x${two}`).replace(/\{\w+\}/g, `x${one}`);
      const match = router.find(route.method, path);
      assert.equal(match?.route, route);
      for (const value of Object.values(match?.params ?? {})) assert.ok(value.includes(one));
    }),
  );
});

test("no path breaks the router", () => {
  const router = new Router(ROUTES);
  fc.assert(
    fc.property(fc.constantFrom("GET", "POST", "HEAD", "DELETE", "X"), fc.webPath(), (method, path) => {
      router.find(method, path);
      pathVersion(path);
    }),
  );
});

test("no two routes are the same", () => {
  const names = ROUTES.map(({ method, path }) => `${method} ${path.replace(/\{\w+/g, "{")}`);
  assert.equal(new Set(names).size, names.length);
});

test("versions", () => {
  assert.deepEqual(pathVersion("/v1.41/info"), { kind: "ok", minor: 41, rest: "/info" });
  assert.deepEqual(pathVersion("/v1.51"), { kind: "ok", minor: 51, rest: "/" });
  for (const path of ["/info", "/version", "/volumes", "/v", "/vx/info", "/v./info", "/v1.4x/info"]) {
    assert.equal(pathVersion(path).kind, "none", path);
  }
  for (const path of ["/v1.52/info", "/v2/info", "/v1.23/info", "/v1/info", "/v0.9/info"]) {
    assert.equal(pathVersion(path).kind, "refused", path);
  }
});
