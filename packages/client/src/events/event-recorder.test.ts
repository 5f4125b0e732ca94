import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type KubeObject, textAt, valueAt } from "@boxship/api";
import { FakeClock, silentLogger as logger } from "@boxship/base";
import { startApiServer, type TestApiServer } from "@boxship/testkit";
import { loadKubeconfig } from "../config/load-kubeconfig.ts";
import type { ApiClient } from "../contract.ts";
import { openHttpClient } from "../http/http-client.ts";
import { EventRecorder } from "./event-recorder.ts";

const EVENTS = { group: "", version: "v1", resource: "events" } as const;

let server: TestApiServer;
let client: ApiClient;
before(async () => {
  server = await startApiServer();
  client = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
});
after(async () => {
  await client?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

test("events are told at a server, counted up when they come again, and fewer when there are too many", async () => {
  const maps = { group: "", version: "v1", resource: "configmaps", namespace: "default" };
  const thing: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "thing" } };
  const about = await client.create(maps, thing);
  const clock = new FakeClock(Date.parse("2026-01-01T00:00:00Z"));
  {
    await using recorder = new EventRecorder({ client, component: "tester", host: "here", logger, clock });
    recorder.record(about, "Warning", "Broken", "it broke");
    recorder.record(about, "Normal", "Mended", "it was mended");
    await clock.advance(60_000);
    recorder.record(about, "Warning", "Broken", "it broke");
  }
  const { items } = await client.list({ ...EVENTS, namespace: "default" });
  const shown = items.map((event) => [
    textAt(event, "type"),
    textAt(event, "reason"),
    valueAt(event, "count"),
    textAt(event, "firstTimestamp"),
    textAt(event, "lastTimestamp"),
    textAt(event, "involvedObject", "uid") === about.metadata.uid,
  ]);
  const [start, later] = ["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"];
  assert.deepEqual(shown, [
    ["Warning", "Broken", 2, start, later, true],
    ["Normal", "Mended", 1, start, start, true],
  ]);
  {
    await using recorder = new EventRecorder({ client, component: "talker", logger, clock });
    for (let number = 0; number < 100; number++) recorder.record(about, "Normal", "Talk", `word ${number}`);
    // Of what has no namespace it is told in the default one.
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default", uid: "u" } };
    recorder.record(namespace, "Normal", "Talk", "of a namespace");
  }
  const talk = await client.list({ ...EVENTS, namespace: "default" });
  const words = talk.items.filter((event) => textAt(event, "source", "component") === "talker");
  assert.equal(words.length, 26);
});

test("of more than can be written the newest are, and the same that waits is written once", async () => {
  const about = (number: number): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${number}`, namespace: "default", uid: `uid-${number}` },
  });
  const warned: string[] = [];
  {
    const watchful = { ...logger, warn: (message: string) => void warned.push(message) };
    await using recorder = new EventRecorder({ client, component: "flood", logger: watchful, mostWaiting: 3 });
    for (let number = 0; number < 10; number++) {
      recorder.record(about(number), "Normal", "Flood", "it is wet");
      recorder.record(about(number), "Normal", "Flood", "it is wet");
    }
  }
  const { items } = await client.list({ ...EVENTS, namespace: "default" });
  assert.deepEqual(
    items
      .filter((event) => textAt(event, "source", "component") === "flood")
      .map((event) => [textAt(event, "involvedObject", "name"), valueAt(event, "count")]),
    [
      ["pod-0", 1],
      ["pod-7", 2],
      ["pod-8", 2],
      ["pod-9", 2],
    ],
  );
  assert.deepEqual(warned, ["events were dropped: there were too many at once"]);
});
