import assert from "node:assert/strict";
import { test } from "node:test";
import type { Route } from "../http/route.ts";
import { ROUTES } from "../routes/index.ts";
import { scriptedEngine } from "../testing/scripted-engine.ts";
import { serve } from "../testing/serve.ts";
import { parseRole, type Role } from "./role.ts";
import { isMutating, mayCall, NAMED_ROUTES } from "./route-access.ts";

const readOnly = parseRole({ name: "look", role: "read-only" });
const confined = parseRole({ name: "ci", role: "confined" });

const example = ({ path }: Route): string => path.replaceAll(/\{(\w+)\*?\}/g, "x");

/** Every route of the router, as each role is answered. */
async function statuses(role: Role): Promise<ReadonlyMap<Route, readonly [status: number, text: string]>> {
  await using served = await serve(scriptedEngine(), { role });
  const answers = new Map<Route, readonly [number, string]>();
  for (const route of ROUTES) {
    const query = route.path === "/events" ? "?until=1" : "";
    const { status, text } = await served.call(route.method, `/v1.51${example(route)}${query}`);
    answers.set(route, [status, text]);
  }
  return answers;
}

for (const role of [readOnly, confined]) {
  test(`every route answers the ${role.kind} socket as its tables say`, async () => {
    for (const [route, [status, text]] of await statuses(role)) {
      const name = `${route.method} ${route.path}`;
      const refused = status === 403 && (route.method === "HEAD" || text.includes(name));
      assert.equal(refused, !mayCall(role, route), `${name}: ${status} ${text}`);
    }
  });
}

test("nothing that changes anything is open to a read-only socket, and nothing that leads to the host to a confined one", () => {
  for (const route of ROUTES) assert.ok(!(mayCall(readOnly, route) && isMutating(route)), route.path);
  const closed = ROUTES.filter((route) => !mayCall(confined, route)).map(({ path }) => path);
  for (const path of [
    "/build",
    "/grpc",
    "/session",
    "/boxship/shutdown",
    "/boxship/sockets",
    "/boxship/images/bootstrap",
    "/plugins/pull",
    "/swarm/init",
    "/images/prune",
  ]) {
    assert.ok(closed.includes(path as Route["path"]), path);
  }
});

test("the tables name only routes that exist", () => {
  const real = new Set(ROUTES.map(({ method, path }) => `${method} ${path}`));
  assert.deepEqual(
    [...NAMED_ROUTES].filter((name) => !real.has(name)),
    [],
  );
});
