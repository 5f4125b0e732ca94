import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import { type Loose, startApi } from "../testing/api-under-test.ts";
import { startHttps } from "../testing/https-under-test.ts";
import { WebhookAuthorizer } from "./webhook-authorizer.ts";

/** Lets pat look at config maps and at /metrics, forbids secrets, and has no opinion about the rest. */
function opinion({ spec }: Loose): object | undefined {
  if (spec.user === "broken") return undefined;
  const { verb, resource } = spec.resourceAttributes ?? {};
  if (spec.user === "pat" && (resource === "configmaps" || spec.nonResourceAttributes?.path === "/metrics"))
    return { status: { allowed: verb !== "delete", reason: "pat may look" } };
  return { status: resource === "secrets" ? { allowed: false, denied: true, reason: "never" } : { allowed: false } };
}

test("another server decides what nobody here has allowed", async () => {
  await using server = await startHttps((_, review) => opinion(review));
  const authorizationWebhook = { url: server.url, client: { ca: server.authority }, headers: {} };
  await using api = await startApi({ authorizationWebhook });
  const as = (user: string, method: string, path: string) =>
    api.call(method, path, { headers: { "impersonate-user": user, "impersonate-group": "system:authenticated" } });
  const maps = "/api/v1/namespaces/default/configmaps";
  assert.equal((await as("pat", "GET", maps)).status, 200);
  assert.equal((await as("pat", "GET", "/metrics")).status, 200);
  assert.equal((await as("pat", "DELETE", `${maps}/kube-root-ca.crt`)).status, 403);
  assert.equal((await as("mona", "GET", maps)).status, 403);
  const never = await as("pat", "GET", "/api/v1/namespaces/default/secrets/x");
  assert.deepEqual(
    [never.status, never.json.message],
    [
      403,
      'secrets "x" is forbidden: User "pat" cannot get resource "secrets" in API group "" in the namespace "default": never',
    ],
  );
  assert.equal((await as("broken", "GET", maps)).status, 403, "who cannot be asked has no opinion");
  const [asked] = server.received;
  assert.deepEqual(asked.spec, {
    resourceAttributes: { verb: "list", version: "v1", resource: "configmaps", namespace: "default" },
    user: "pat",
    groups: ["system:authenticated"],
  });
  const before = server.received.length;
  assert.equal((await api.call("GET", maps)).status, 200);
  assert.equal((await as("pat", "GET", maps)).status, 200);
  assert.equal(server.received.length, before, "administrators and what is known are not asked about");
});

test("answers are asked for again when they are old, and once at a time", async () => {
  let allowed = true;
  await using server = await startHttps(() => ({ status: { allowed } }));
  const clock = new FakeClock();
  using webhook = new WebhookAuthorizer(
    { url: server.url, client: { ca: server.authority }, headers: {} },
    clock,
    silentLogger,
  );
  const ask = async () =>
    (await webhook.authorize({ user: { name: "a", groups: [] }, verb: "get", path: "/x" })).verdict;
  assert.deepEqual(await Promise.all([ask(), ask()]), ["allow", "allow"]);
  assert.equal(server.received.length, 1);
  allowed = false;
  await clock.advance(299_000);
  assert.equal(await ask(), "allow");
  await clock.advance(2000);
  assert.equal(await ask(), "no-opinion");
  await clock.advance(29_000);
  allowed = true;
  assert.equal(await ask(), "no-opinion");
  await clock.advance(2000);
  assert.equal(await ask(), "allow");
});
