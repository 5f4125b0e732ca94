import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FakeClock, silentLogger } from "@boxship/base";
import { EventLog } from "./event-log.ts";
import { EventBus } from "./events.ts";

function box(t: { after(task: () => void): void }): string {
  const root = mkdtempSync(join(tmpdir(), "boxship-events-"));
  t.after(() => rmSync(root, { recursive: true }));
  return root;
}

test("events are there after a restart, in order, and times go on", async (t) => {
  const root = box(t);
  const clock = new FakeClock(1_000);
  {
    await using log = await EventLog.open(root, silentLogger);
    const bus = new EventBus(clock, log);
    for (const action of ["create", "start", "die"]) bus.publish("container", action, "abc", { name: "web" });
  }
  await using log = await EventLog.open(root, silentLogger);
  const bus = new EventBus(clock, log);
  bus.publish("container", "destroy", "abc");
  const recent = bus.recent();
  assert.deepEqual(
    recent.map(({ action }) => action),
    ["create", "start", "die", "destroy"],
  );
  assert.deepEqual(recent[0]?.actor, { id: "abc", attributes: { name: "web" } });
  for (const [index, { time }] of recent.entries()) assert.ok(index === 0 || time > (recent[index - 1]?.time ?? 0n));
});

test("a line that was cut off is passed over, and what follows is not", async (t) => {
  const root = box(t);
  const clock = new FakeClock(1_000);
  {
    await using log = await EventLog.open(root, silentLogger);
    new EventBus(clock, log).publish("volume", "create", "one");
  }
  appendFileSync(join(root, "events.log"), '{"type":"volume","acti');
  {
    await using log = await EventLog.open(root, silentLogger);
    new EventBus(clock, log).publish("volume", "create", "two");
  }
  await using log = await EventLog.open(root, silentLogger);
  assert.deepEqual(
    log.past.map(({ actor }) => actor.id),
    ["one", "two"],
  );
});

test("however many there are, the latest are kept, and the files stay small", async (t) => {
  const root = box(t);
  const clock = new FakeClock(1_000);
  {
    await using log = await EventLog.open(root, silentLogger);
    const bus = new EventBus(clock, log);
    for (let index = 0; index < 5000; index++) {
      bus.publish("network", "connect", `n${index}`);
      // What is published at once is written at once, and then the files are as large as that.
      if (index % 100 === 0) await delay(5);
    }
  }
  const lines = ["events.log", "events.log.1"].map((name) => readFileSync(join(root, name), "utf8").split("\n").length);
  assert.ok(
    lines.every((count) => count < 3000),
    String(lines),
  );
  await using log = await EventLog.open(root, silentLogger);
  assert.equal(log.past.at(-1)?.actor.id, "n4999");
  const bus = new EventBus(clock, log);
  assert.equal(bus.recent().length, 1024);
  assert.equal(bus.recent()[0]?.actor.id, "n3976");
});
