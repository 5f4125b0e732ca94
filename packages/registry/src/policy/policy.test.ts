import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { FakeClock, InvalidArgument } from "@boxship/base";
import { parseRegistryFile } from "../config/registry-file.ts";
import { listenForTest, pushBlob, pushImage } from "../testing/registry-under-test.ts";

test("a repository takes no more than its quota, and what goes gives room", async () => {
  const policy = parseRegistryFile(
    "quotas: [{ repositories: ['team/**'], size: 100kB }, { repositories: ['each/*'], size: 1000, each: true }]",
    "f",
  );
  await using under = await listenForTest({ policy });
  const { url } = under;
  const bytes = randomBytes(60_000);
  const digest = await pushBlob(url, "team/a", bytes);
  await assert.rejects(pushBlob(url, "team/b", randomBytes(50_000)), /^Error: 403 .*DENIED.*quota/);
  await pushBlob(url, "team/a", bytes);
  const mounted = await fetch(`${url}/team/b/blobs/uploads/?mount=${digest}&from=team/a`, { method: "POST" });
  assert.equal(mounted.status, 403, "what is mounted counts, too");
  await pushBlob(url, "other", randomBytes(200_000));
  const small = await fetch(`${url}/team/b/blobs/uploads/`, { method: "POST" });
  const patch = await fetch(new URL(small.headers.get("location") ?? "", url), { method: "PATCH", body: bytes });
  assert.equal(patch.status, 403, "an upload ends where the quota does");

  assert.equal((await fetch(`${url}/team/a/blobs/${digest}`, { method: "DELETE" })).status, 202);
  await pushBlob(url, "team/b", randomBytes(50_000));
  await pushBlob(url, "each/a", randomBytes(950));
  await pushBlob(url, "each/b", randomBytes(900));
  const begun = await fetch(`${url}/each/a/blobs/uploads/`, { method: "POST" });
  assert.equal(begun.headers.get("warning"), null);
  const again = await fetch(`${url}/each/a/blobs/uploads/?mount=${await pushBlob(url, "each/b", "x")}&from=each/b`, {
    method: "POST",
  });
  assert.equal(again.headers.get("warning"), '299 - "repository each/a has used 95 % of its quota"');

  const metrics = await (await fetch(`http://${under.host}/metrics`)).text();
  assert.match(metrics, /boxship_registry_quota_used_bytes\{repositories="team\/\*\*"\} 50000/);
  assert.match(metrics, /boxship_registry_requests_total\{route="upload",method="PUT",status="201"\} \d/);
  await using restarted = await under.restart();
  const after = await (await fetch(`http://${restarted.host}/metrics`)).text();
  assert.match(after, /boxship_registry_quota_used_bytes\{repositories="team\/\*\*"\} 50000/, "counted anew");
});

test("many who push at once do not together exceed a quota", async () => {
  const policy = { quotas: [{ repositories: ["q"], size: 50_000 }] };
  await using under = await listenForTest({ policy });
  const pushes = Array.from({ length: 10 }, () => pushBlob(under.url, "q", randomBytes(10_000)));
  const done = (await Promise.allSettled(pushes)).filter(({ status }) => status === "fulfilled");
  assert.equal(done.length, 5);
});

test("a quota counts what is there once, and what is coming, whatever happens at the same time", async () => {
  const policy = { quotas: [{ repositories: ["q/*"], size: 50_000 }] };
  await using under = await listenForTest({ policy });
  const { url } = under;
  const used = async () =>
    Number(/quota_used_bytes\{.*\} (\d+)/.exec(await (await fetch(`http://${under.host}/metrics`)).text())?.[1]);
  const bytes = randomBytes(1000);
  await Promise.all(Array.from({ length: 8 }, () => pushBlob(url, "q/same", bytes)));
  assert.equal(await used(), 1000, "one blob, however many pushed it");
  await Promise.all(Array.from({ length: 8 }, () => pushImage(url, "q/image", "v1")));
  const image = (await used()) - 1000;
  await pushImage(url, "q/other", "v1");
  assert.ok((await used()) < 1000 + 2 * image + 10);

  const begin = async () => {
    const begun = await fetch(`${url}/q/coming/blobs/uploads/`, { method: "POST" });
    return new URL(begun.headers.get("location") ?? "", url);
  };
  const piece = async (at: URL, size: number) => (await fetch(at, { method: "PATCH", body: randomBytes(size) })).status;
  const [one, two] = [await begin(), await begin()];
  assert.deepEqual([await piece(one, 30_000), await piece(two, 30_000)], [202, 403], "together they are too much");
  assert.equal(await piece(one, 10_000), 202);
  assert.equal((await fetch(one, { method: "DELETE" })).status, 204);
  const three = await begin();
  assert.equal(await piece(three, 40_000), 202, "what was given up counts no more");
  three.searchParams.set("digest", "sha256:".padEnd(71, "0"));
  assert.equal((await fetch(three, { method: "PUT" })).status, 400);
  await pushBlob(url, "q/coming", randomBytes(40_000));
  await assert.rejects(pushBlob(url, "q/same", Buffer.concat([bytes, randomBytes(20_000)])), /403/);
  await pushBlob(url, "q/same", bytes);
});

test("tags that no rule holds go, with what only they led to; a dry run only tells", async () => {
  const DAY = 86_400_000;
  const clock = new FakeClock(1_800_000_000_000);
  const policy = parseRegistryFile(
    `retention:
  - { repositories: [app], tags: ["v*"], keep: 2 }
  - { repositories: [app, "ci/**"], within: 7d }`,
    "f",
  );
  await using under = await listenForTest({ policy, clock });
  const { url, registry } = under;
  const digests = new Map<string, string>();
  for (const tag of ["v1", "v2", "v3", "pr-1", "pr-2"]) {
    digests.set(tag, await pushImage(url, "app", tag, { annotations: { tag } }));
    await clock.advance(4 * DAY);
  }
  await pushImage(url, "else", "old");
  await clock.advance(DAY);
  const would = await registry.retain({ dryRun: true });
  assert.deepEqual(would.map(({ tag }) => tag).sort(), ["pr-1", "v1"]);
  const tags = async () => ((await (await fetch(`${url}/app/tags/list`)).json()) as { tags: string[] }).tags;
  assert.deepEqual(await tags(), ["pr-1", "pr-2", "v1", "v2", "v3"]);
  const went = await registry.retain();
  assert.deepEqual(went, would);
  assert.deepEqual(await tags(), ["pr-2", "v2", "v3"]);
  assert.equal((await fetch(`${url}/app/manifests/${digests.get("v1")}`)).status, 404);
  assert.equal((await fetch(`${url}/app/manifests/${digests.get("v2")}`)).status, 200);
  assert.equal((await fetch(`${url}/else/manifests/old`)).status, 200);
  assert.deepEqual(await registry.retain(), []);
});

const WRONG: readonly (readonly [string, RegExp])[] = [
  ["quota: []", /f: quota must be left out: known are/],
  ["quotas: [{ repositories: [a], size: much }]", /quotas\[0\]\.size must be a size/],
  ["quotas: [{ size: 1 }]", /quotas\[0\]\.repositories must be a list/],
  ["retention: [{ repositories: [a] }]", /retention\[0\] must be given keep, within, or both/],
  ["retention: [{ repositories: [a], within: soon }]", /within must be a time/],
  ["webhooks: [{ name: a, url: 'ftp://x' }]", /webhooks\[0\]\.url must be an address/],
  ["webhooks: [{ name: a, url: 'http://x', events: [build] }]", /events\[0\] must be one of push/],
  ["{", /f is not valid YAML/],
];
test("a configuration that is wrong is refused by its place", () => {
  for (const [source, message] of WRONG) {
    assert.throws(
      () => parseRegistryFile(source, "f"),
      (error: unknown) => error instanceof InvalidArgument && message.test(error.message),
      source,
    );
  }
  assert.deepEqual(parseRegistryFile("# nothing\n", "f"), {});
});
