import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  type FaultyProxy,
  faultyProxy,
  REGISTRY_USER,
  runProgram,
  startRegistry,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { parseRegistryFile } from "../config/registry-file.ts";
import { listenForTest, type RegistryUnderTest, sha256 } from "../testing/registry-under-test.ts";

const { username, password } = REGISTRY_USER;
const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
const OCI = "application/vnd.oci.image";
const accept = `${OCI}.manifest.v1+json`;

/** Pushes to the other registry, past what is under test. */
async function seed(registry: TestRegistry, name: string, bytes: Uint8Array, tag = "v1"): Promise<string> {
  const push = async (blob: Uint8Array): Promise<string> => {
    const begun = await fetch(`${registry.url}/v2/${name}/blobs/uploads/`, {
      method: "POST",
      headers: { authorization },
    });
    const location = new URL(begun.headers.get("location") ?? "", registry.url);
    location.searchParams.set("digest", sha256(blob));
    const headers = { authorization, "content-type": "application/octet-stream" };
    assert.equal((await fetch(location, { method: "PUT", body: Buffer.from(blob), headers })).status, 201);
    return sha256(blob);
  };
  const config = Buffer.from("{}");
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: accept,
    config: { mediaType: `${OCI}.config.v1+json`, digest: await push(config), size: 2 },
    layers: [{ mediaType: `${OCI}.layer.v1.tar`, digest: await push(bytes), size: bytes.byteLength }],
  });
  const put = await fetch(`${registry.url}/v2/${name}/manifests/${tag}`, {
    method: "PUT",
    body: manifest,
    headers: { authorization, "content-type": accept },
  });
  assert.equal(put.status, 201);
  return sha256(manifest);
}

describe("a cache of another registry", () => {
  let upstream: TestRegistry;
  let proxy: FaultyProxy;
  let under: RegistryUnderTest;
  before(async () => {
    upstream = await startRegistry({ auth: "htpasswd" });
    proxy = await faultyProxy(upstream, () => undefined);
    const login = `username: ${username}, password: ${password}`;
    const policy = parseRegistryFile(
      `upstreams:
  - { prefix: hub, registry: "${proxy.host}", ${login}, fresh: 0s }
  - { prefix: hub/slow, registry: "${proxy.host}", ${login}, fresh: 1h }
  - { prefix: gone, registry: "127.0.0.1:1" }`,
      "f",
    );
    under = await listenForTest({ policy });
  });
  after(async () => {
    await under?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });
  const get = (path: string, init: RequestInit = {}) => fetch(`${under.url}/${path}`, init);
  const asked = (path: string, method = "GET") =>
    proxy.requests.filter(
      (request) => request.method === method && request.path === path && request.headers.authorization,
    );

  test("what many ask for at once is fetched once, and passed on while it arrives", async () => {
    const bytes = randomBytes(3_000_000);
    const digest = await seed(upstream, "team/app", bytes);
    const layer = `/v2/team/app/blobs/${sha256(bytes)}`;
    proxy.plan = ({ path, method }) =>
      path === layer && method === "GET" ? { kind: "slow", milliseconds: 5 } : undefined;
    const pull = async () => {
      const manifest = await get("hub/team/app/manifests/v1");
      assert.equal(manifest.headers.get("docker-content-digest"), digest);
      const blob = await get(`hub/team/app/blobs/${sha256(bytes)}`);
      assert.equal(blob.headers.get("content-length"), "3000000");
      return sha256(Buffer.from(await blob.arrayBuffer()));
    };
    const pulled = await Promise.all(Array.from({ length: 20 }, pull));
    assert.deepEqual(new Set(pulled), new Set([sha256(bytes)]));
    proxy.plan = () => undefined;
    assert.equal(asked(layer).length, 1);
    assert.equal(asked("/v2/team/app/manifests/v1").length, 1);
    assert.equal(await pull(), sha256(bytes));
    assert.equal(asked(layer).length, 1, "what is here is not asked for");
    const part = await get(`hub/team/app/blobs/${sha256(bytes)}`, { headers: { range: "bytes=0-9" } });
    assert.deepEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, bytes.subarray(0, 10)]);
    const tags = (await (await get("hub/team/app/tags/list")).json()) as object;
    assert.deepEqual(tags, { name: "hub/team/app", tags: ["v1"] });
  });

  test("the beginning comes before the end is there, and nothing that is wrong comes whole", async () => {
    const bytes = randomBytes(2_000_000);
    await seed(upstream, "team/stalled", bytes);
    const layer = `/v2/team/stalled/blobs/${sha256(bytes)}`;
    proxy.plan = ({ path, method }) => (path === layer && method === "GET" ? { kind: "corrupt", at: 5 } : undefined);
    const wrong = await get(`hub/team/stalled/blobs/${sha256(bytes)}`);
    await assert.rejects(wrong.arrayBuffer());
    proxy.plan = ({ path, method }) =>
      path === layer && method === "GET" ? { kind: "stall", after: 1_500_000 } : undefined;
    const stalled = await get(`hub/team/stalled/blobs/${sha256(bytes)}`);
    let arrived = 0;
    for await (const piece of stalled.body ?? assert.fail()) {
      arrived += (piece as Uint8Array).byteLength;
      if (arrived > 1_000_000) break;
    }
    assert.ok(arrived > 1_000_000);
  });

  test("a tag is served as it was while the other registry does not answer, and moves with it otherwise", async () => {
    const first = await seed(upstream, "team/moving", randomBytes(10));
    await seed(upstream, "slow/moving", randomBytes(11));
    const tag = async (name: string) => {
      const answer = await get(`${name}/manifests/v1`);
      return [answer.status, answer.headers.get("docker-content-digest"), answer.headers.get("warning")] as const;
    };
    assert.deepEqual(await tag("hub/team/moving"), [200, first, null]);
    const second = await seed(upstream, "team/moving", randomBytes(10));
    assert.deepEqual(await tag("hub/team/moving"), [200, second, null]);
    proxy.plan = () => ({ kind: "status", status: 503 });
    const [status, digest, warning] = await tag("hub/team/moving");
    assert.deepEqual([status, digest], [200, second]);
    assert.match(warning ?? "", /^299 - "127\.0\.0\.1:\d+ does not answer; this is what it had 0 minutes ago"$/);
    const count = proxy.requests.length;
    assert.equal((await tag("hub/team/moving"))[1], second);
    assert.equal((await tag("hub/team/never"))[0], 503);
    assert.equal(proxy.requests.length, count, "it is left alone for a while");
    proxy.plan = () => undefined;
    const metrics = await (await fetch(`http://${under.host}/metrics`)).text();
    assert.match(metrics, /upstream_total\{upstream="127\.0\.0\.1:\d+",result="stale"\} 2/);
  });

  test("a tag that is gone there is gone here, and an outage is none of what is not there", async () => {
    // The pause after the outage before.
    for (let answer = 503; answer === 503; ) answer = (await get("hub/team/none/manifests/v1")).status;
    const digest = await seed(upstream, "team/gone", randomBytes(10));
    assert.equal((await get("hub/team/gone/manifests/v1")).status, 200);
    await fetch(`${upstream.url}/v2/team/gone/manifests/${digest}`, { method: "DELETE", headers: { authorization } });
    assert.equal((await get("hub/team/gone/manifests/v1")).status, 404);
    assert.equal((await get("hub/team/none/manifests/v1")).status, 404);
    assert.equal((await get(`hub/team/none/blobs/${sha256("x")}`)).status, 404);
    assert.equal((await get("gone/app/manifests/v1")).status, 503);
  });

  test("nothing is pushed to a copy, and clients may name it by its registry", async () => {
    const refused = await get("hub/team/app/blobs/uploads/", { method: "POST" });
    assert.deepEqual(
      [refused.status, (await refused.json()) as object],
      [
        405,
        {
          errors: [
            {
              code: "UNSUPPORTED",
              message: `repository hub/team/app is a copy of one of ${proxy.host}`,
              detail: { repository: "hub/team/app", remedy: "push to the registry itself" },
            },
          ],
        },
      ],
    );
    await seed(upstream, "slow/named", randomBytes(10));
    const named = await get(`slow/named/manifests/v1?ns=${encodeURIComponent(proxy.host)}`);
    assert.deepEqual([named.status, named.headers.get("oci-namespace")], [200, proxy.host]);
  });

  test("skopeo pulls through it", async () => {
    await using directory = tempDir("pull-through");
    const copied = await runProgram([
      ...["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"],
      ...[`docker://${under.host}/hub/team/app:v1`, `dir:${directory.join("image")}`],
    ]);
    assert.equal(copied.status, 0, copied.stderr);
  });
});
