import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";

const CORE = "/api/v1/namespaces/default";
const MAPS = `${CORE}/configmaps`;

/** What a watch is told, as it comes. @param late milliseconds after which the client begins to read */
async function watch(api: ApiUnderTest, path: string, late = 0) {
  const response = await api.stream(path);
  const told: Loose[] = [];
  let arrived = Promise.withResolvers<void>();
  let rest = "";
  if (late > 0) await delay(late);
  response.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) told.push(JSON.parse(line));
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  return {
    told,
    async until(name: string): Promise<void> {
      while (!told.some(({ object }) => object.metadata.name === name)) await arrived.promise;
    },
    [Symbol.dispose]: () => void response.destroy(),
  };
}

test("on a full disk everything can be read and watched, writes fail by name, and go on when there is room", async () => {
  await using directory = tempDir();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "boxship", directory.path]);
  await using api = await startApi({}, directory);
  const { resourceVersion } = (await api.call("GET", MAPS)).json.metadata;
  using watching = await watch(api, `${MAPS}?watch=1&resourceVersion=${resourceVersion}`);
  const map = (name: string) => ({ metadata: { name }, data: { a: "x".repeat(150_000) } });
  const kept: string[] = [];
  const make = async (name: string): Promise<number> => {
    const { status, json } = await api.call("POST", MAPS, { body: map(name) });
    if (status === 201) kept.push(name);
    else assert.match(json.message, /^Internal error occurred: the store .*cannot grow/);
    return status;
  };
  for (let at = 0, status = 201; status === 201; at++) status = await make(`full-${at}`);
  assert.ok(kept.length > 3);
  const all = async () => (await api.call("GET", MAPS)).json.items.map(({ metadata }: Loose) => metadata.name);
  const own = (names: readonly string[]) => names.filter((name) => name.startsWith("full-")).sort();
  assert.deepEqual(own(await all()), [...kept].sort());
  for (const name of kept) assert.equal((await api.call("GET", `${MAPS}/${name}`)).json.data.a.length, 150_000);
  assert.equal((await api.call("GET", "/readyz")).status, 200);
  assert.equal(await make("full-more"), 500);
  const patch = {
    body: { data: { a: "y".repeat(150_000) } },
    headers: { "content-type": "application/merge-patch+json" },
  };
  assert.equal((await api.call("PATCH", `${MAPS}/full-0`, patch)).status, 500);
  assert.match((await api.call("GET", `${MAPS}/full-0`)).json.data.a, /^x/, "nothing of it was done");

  execFileSync("mount", ["-o", "remount,size=32m", directory.path]);
  assert.equal(await make("full-again"), 201);
  assert.equal((await api.call("PATCH", `${MAPS}/full-0`, patch)).status, 200);
  await watching.until("full-again");
  assert.deepEqual(
    watching.told.filter(({ type }) => type === "ADDED").map(({ object }) => object.metadata.name),
    kept,
    "the watch has seen what was acknowledged, once, in its order",
  );
  await api.restart();
  assert.deepEqual(own(await all()), [...kept].sort());
});

test("a clock that jumps forth and back ends tokens, and nothing else", async () => {
  let offset = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + offset };
  const HOUR = 3600 * 1000;
  await using api = await startApi({ clock });
  const made = async (path: string, body: object): Promise<Loose> => {
    const answer = await api.call("POST", path, { body });
    assert.equal(answer.status, 201, answer.text);
    return answer.json;
  };
  const { token } = (await made(`${CORE}/serviceaccounts/default/token`, { spec: { expirationSeconds: 3600 } })).status;
  const whoami = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    return (await api.call("POST", path, { anonymous: true, headers, body: {} })).status;
  };
  const event = { metadata: { name: "kept" }, involvedObject: { namespace: "default" }, reason: "a", type: "Normal" };
  await made(`${CORE}/events`, event);
  const { resourceVersion } = (await api.call("GET", MAPS)).json.metadata;
  using watching = await watch(api, `${MAPS}?watch=1&resourceVersion=${resourceVersion}`);
  const at = async (name: string): Promise<number> => {
    const { metadata } = await made(MAPS, { metadata: { name } });
    await watching.until(name);
    assert.equal((await api.call("DELETE", `${MAPS}/${name}`)).status, 200);
    return Date.parse(metadata.creationTimestamp) - Date.now();
  };
  assert.equal(await whoami(), 201);
  // Within the time of the administrator's certificate.
  offset = 300 * 24 * HOUR;
  assert.ok((await at("future")) > offset - HOUR);
  assert.equal(await whoami(), 401);
  offset = -20 * 365 * 24 * HOUR;
  assert.ok((await at("past")) < offset + HOUR);
  assert.equal(await whoami(), 401, "it is not valid yet");
  offset = 0;
  assert.equal(await whoami(), 201);
  assert.equal((await api.call("GET", `${CORE}/events/kept`)).status, 200);
  const revisions = watching.told.map(({ object }) => Number(object.metadata.resourceVersion));
  assert.deepEqual(
    revisions,
    revisions.toSorted((left, right) => left - right),
  );
});

test("a watch begins with more than a client takes at once, and tells after it what has changed meanwhile", async () => {
  await using api = await startApi();
  const make = async (name: string, size: number): Promise<void> => {
    const answer = await api.call("POST", MAPS, { body: { metadata: { name }, data: { a: "x".repeat(size) } } });
    assert.equal(answer.status, 201, answer.text);
  };
  const names = Array.from({ length: 22 }, (_, at) => `large-${String.fromCharCode(97 + at)}`);
  for (const name of names) await make(name, 1_000_000);
  const query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  using watching = await watch(api, `${MAPS}?watch=1&${query}`, 300);
  await make("meanwhile", 10);
  await watching.until("meanwhile");
  const told = watching.told.map(({ type, object }) => `${type} ${object.metadata.name ?? ""}`);
  assert.deepEqual(
    told.filter((line) => !line.includes("kube-root-ca")),
    [...names.map((name) => `ADDED ${name}`), "BOOKMARK ", "ADDED meanwhile"],
  );
});
