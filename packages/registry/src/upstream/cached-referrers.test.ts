import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { FakeClock } from "@boxship/base";
import { type FaultyProxy, faultyProxy, startRegistry } from "@boxship/testkit";
import { listenForTest, pushImage, type RegistryUnderTest, sha256 } from "../testing/registry-under-test.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const MINUTE = 60_000;

interface Listed {
  readonly digest: string;
  readonly artifactType?: string;
}

/** What is told of, with the headers that say how it was found. */
async function referrersOf(url: string, repository: string, digest: string, query = "") {
  const answer = await fetch(`${url}/${repository}/referrers/${digest}${query}`);
  const { manifests = [] } = (await answer.json()) as { manifests?: readonly Listed[] };
  return {
    status: answer.status,
    digests: manifests.map((each) => each.digest),
    applied: answer.headers.get("oci-filters-applied"),
    warning: answer.headers.get("warning"),
  };
}

/** Lets time pass for whoever waits between two tries. */
async function whileTimePasses<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const state = { over: false };
  const done = work.finally(() => Object.assign(state, { over: true }));
  while (!state.over) {
    await clock.advance(50);
    await setTimeout(1);
  }
  return done;
}

describe("referrers of another registry, through a cache", () => {
  const clock = new FakeClock(1_800_000_000_000);
  let upstream: RegistryUnderTest;
  let proxy: FaultyProxy;
  let under: RegistryUnderTest;
  let subject: string;
  before(async () => {
    upstream = await listenForTest();
    proxy = await faultyProxy(upstream, () => undefined);
    const upstreams = [{ prefix: "hub", registry: proxy.host, fresh: MINUTE, stale: 100 * MINUTE }];
    under = await listenForTest({ clock, policy: { upstreams } });
    subject = await pushImage(upstream.url, "app", "v1");
  });
  after(async () => {
    await under?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });
  const refer = (type: string) =>
    pushImage(upstream.url, "app", "", {
      subject: { mediaType: MANIFEST, digest: subject, size: 1 },
      artifactType: `application/vnd.${type}`,
    });
  const list = (query = "") => whileTimePasses(clock, referrersOf(under.url, "hub/app", subject, query));

  test("they are those of the other registry, asked for once while they are fresh", async () => {
    assert.deepEqual((await list()).digests, []);
    const [a, b] = [await refer("a"), await refer("b")];
    assert.deepEqual((await list()).digests, [], "fresh still");
    await clock.advance(MINUTE);
    proxy.plan = () => ({ kind: "slow", milliseconds: 20 });
    const lists = await Promise.all(Array.from({ length: 5 }, () => list()));
    proxy.plan = () => undefined;
    for (const { digests } of lists) assert.deepEqual(digests, [a, b].sort());
    const asked = proxy.requests.filter(({ path }) => path.includes("/referrers/"));
    assert.equal(asked.length, 2);
    const filtered = await list("?artifactType=application/vnd.b");
    assert.deepEqual([filtered.digests, filtered.applied], [[b], "artifactType"]);
    const pulled = await fetch(`${under.url}/hub/app/manifests/${b}`);
    assert.equal(sha256(Buffer.from(await pulled.arrayBuffer())), b, "and can be pulled");
  });

  test("what was told is told while the other registry does not answer, for a time, and over a new start", async () => {
    const known = (await list()).digests;
    await clock.advance(2 * MINUTE);
    proxy.plan = () => ({ kind: "status", status: 500 });
    const stale = await list();
    assert.deepEqual([stale.status, stale.digests], [200, known]);
    assert.match(stale.warning ?? "", /does not answer; this is what it had 2 minutes ago/);
    assert.equal((await whileTimePasses(clock, referrersOf(under.url, "hub/app", sha256("never")))).status, 503);
    const again = await under.restart();
    under = again;
    assert.deepEqual((await list()).digests, known);
    await clock.advance(200 * MINUTE);
    assert.equal((await list()).status, 503, "too old");
    proxy.plan = () => ({ kind: "status", status: 200, headers: { "content-type": INDEX }, body: "[]" });
    await clock.advance(5 * MINUTE);
    assert.equal((await list()).status, 503, "what is no list is an outage, and not the client's mistake");
    proxy.plan = () => undefined;
  });

  test("lists of manifests that are here no more are collected", async () => {
    await clock.advance(5 * MINUTE);
    assert.equal((await list()).digests.length, 2);
    assert.equal((await fetch(`${under.url}/hub/app/manifests/${subject}`)).status, 200);
    await clock.advance(2 * MINUTE);
    await under.registry.collectGarbage({ grace: MINUTE });
    proxy.plan = () => ({ kind: "status", status: 500 });
    assert.equal((await list()).digests.length, 2, "the subject is here");
    const removed = await fetch(`${under.url}/hub/app/manifests/${subject}`, { method: "DELETE" });
    assert.equal(removed.status, 202);
    await clock.advance(2 * MINUTE);
    await under.registry.collectGarbage({ grace: MINUTE });
    assert.equal((await list()).status, 503);
  });
});

test("of a registry that has no API for them they are found by their tag", async () => {
  await using stock = await startRegistry();
  await using under = await listenForTest({ policy: { upstreams: [{ prefix: "hub", registry: stock.host }] } });
  const url = `${stock.url}/v2`;
  const subject = await pushImage(url, "app", "v1");
  const about = await pushImage(url, "app", "", { annotations: { about: subject } });
  const entry = { mediaType: MANIFEST, digest: about, size: 1, artifactType: "application/vnd.a" };
  const put = await fetch(`${url}/app/manifests/${subject.replace(":", "-")}`, {
    method: "PUT",
    headers: { "content-type": INDEX },
    body: JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [entry] }),
  });
  assert.equal(put.status, 201, await put.text());
  assert.deepEqual((await referrersOf(under.url, "hub/app", subject)).digests, [about]);
  const other = await referrersOf(under.url, "hub/app", subject, "?artifactType=application/vnd.b");
  assert.deepEqual([other.digests, other.applied], [[], "artifactType"]);
  const tagged = await fetch(`${under.url}/hub/app/manifests/${subject.replace(":", "-")}`, {
    headers: { accept: INDEX },
  });
  assert.equal(tagged.status, 200, "clients that know nothing of the API look for the tag themselves");
});

test("what was pushed beside a mirror is told of together with what the other registry has", async () => {
  await using upstream = await listenForTest();
  await using under = await listenForTest({ policy: { upstreams: [{ prefix: "", registry: upstream.host }] } });
  const digest = await pushImage(upstream.url, "app", "v1");
  const subject = { mediaType: MANIFEST, digest, size: 1 };
  const there = await pushImage(upstream.url, "app", "", { subject, artifactType: "application/vnd.there" });
  const here = await pushImage(under.url, "app", "", { subject, artifactType: "application/vnd.here" });
  assert.deepEqual((await referrersOf(under.url, "app", digest)).digests, [there, here].sort());
});

test("of a list that is too long the beginning is kept, and whoever asks is told so", async () => {
  await using upstream = await listenForTest();
  await using under = await listenForTest({ policy: { upstreams: [{ prefix: "hub", registry: upstream.host }] } });
  const digest = await pushImage(upstream.url, "app", "v1");
  const subject = { mediaType: MANIFEST, digest, size: 1 };
  for (let n = 0; n < 20; n++) {
    const annotations = { text: `${n}${"x".repeat(250_000)}` };
    await pushImage(upstream.url, "app", "", { subject, artifactType: "application/vnd.a", annotations });
  }
  for (const when of ["fetched", "remembered"]) {
    const first = await referrersOf(under.url, "hub/app", digest);
    const rest = await referrersOf(under.url, "hub/app", digest, `?last=${first.digests.at(-1)}`);
    assert.equal(first.digests.length + rest.digests.length, 16, when);
    assert.match(first.warning ?? "", /tells of more referrers than are kept here/, when);
  }
});
