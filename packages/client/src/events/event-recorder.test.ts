import assert from "node:assert/strict";
import { test } from "node:test";
import { type KubeObject, textAt, valueAt } from "@boxship/api";
import { FakeClock, silentLogger as logger } from "@boxship/base";
import { startApiServer } from "@boxship/testkit";
import { loadKubeconfig } from "../config/load-kubeconfig.ts";
import { openHttpClient } from "../http/http-client.ts";
import { EventRecorder } from "./event-recorder.ts";

const EVENTS = { group: "", version: "v1", resource: "events" } as const;

test("events are told at a server, counted up when they come again, and fewer when there are too many", async () => {
  await using server = await startApiServer();
  await using client = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
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
