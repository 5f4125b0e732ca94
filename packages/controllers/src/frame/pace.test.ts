import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@boxship/api";
import { FakeClock } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerDefinition } from "../contract.ts";
import { CONFIG_MAPS, refOf } from "../shared/resources.ts";
import { startWorld } from "../testing/world.ts";
import { Pace } from "./pace.ts";

test("who writes for one key all the time waits after the first hundred, others do not", () => {
  const clock = new FakeClock();
  const pace = new Pace(clock);
  for (let times = 0; times < 100; times++) {
    assert.equal(pace.wait("a"), 0);
    pace.wrote("a");
  }
  pace.wrote("a");
  assert.equal(pace.wait("a"), 200);
  assert.equal(pace.wait("b"), 0);
});

/** Wants config maps to say what it says. */
const stubborn = (name: string): ControllerDefinition => ({
  name,
  open({ informers, queue, client }) {
    const maps = informers.of<KubeObject & { data?: { who?: string } }>(CONFIG_MAPS);
    const add = (map: KubeObject): void => queue.add(keyOf(map));
    maps.handle({ added: add, updated: add });
    return async (key) => {
      const map = maps.get(key);
      if (map?.data?.who === undefined || map.data.who === name) return;
      await client.patch(refOf(CONFIG_MAPS, map), "merge", { data: { who: name } });
    };
  },
});

test("two that fight over an object do so slowly", async () => {
  await using world = await startWorld({ definitions: [stubborn("left"), stubborn("right")] });
  await world.create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "prey", namespace: "default" },
    data: { who: "nobody" },
  });
  await world.settle();
  const atOnce = world.history.lines.length;
  assert.ok(atOnce >= 100 && atOnce <= 202, `${atOnce} writes at once`);
  await world.advance(2);
  const later = world.history.lines.length - atOnce;
  assert.ok(later <= 24, `${later} writes in two seconds`);
});
