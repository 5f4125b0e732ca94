import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { StatusResponse } from "../wire/control.ts";
import { type HistoryEvent, HistoryStore } from "./history-store.ts";

test("builds are remembered over a restart, the oldest are forgotten, pinned ones stay", async () => {
  await using directory = tempDir("history");
  const clock = new FakeClock();
  const history = new HistoryStore({ directory: directory.path, clock, logger: silentLogger });
  const events: HistoryEvent[] = [];
  using _listening = history.listen((event) => events.push(event));
  const message = StatusResponse.encode({ vertexes: [{ digest: "d", name: "n" }] });
  for (let number = 0; number < 55; number++) {
    history.begin({ ref: `build${number}`, exporters: [] });
    await clock.advance(1000);
    await history.complete(`build${number}`, { numTotalSteps: number }, [message]);
    if (number === 0) assert.ok(await history.pin("build0", true));
  }
  assert.equal(events[0]?.type, 0);
  assert.equal(events[1]?.record?.numTotalSteps, 0);
  const again = new HistoryStore({ directory: directory.path, clock, logger: silentLogger });
  const past = (await again.list({ activeOnly: false, ref: "" })).map(({ record }) => record?.ref);
  assert.equal(past.length, 51);
  assert.equal(past[0], "build0");
  assert.equal(past.at(-1), "build54");
  assert.equal((await again.messages("build54"))?.[0]?.vertexes?.[0]?.name, "n");
  assert.equal(await again.messages("build3"), undefined);
  assert.ok(await again.forget("build54"));
  assert.equal(await again.forget("build54"), false);
});

test("references that are no names of files are told of, not kept; broken records are passed over", async () => {
  await using directory = tempDir("history");
  const history = new HistoryStore({ directory: directory.path, clock: new FakeClock(), logger: silentLogger });
  history.begin({ ref: "../../escape", exporters: [] });
  assert.equal((await history.list({ activeOnly: true, ref: "" })).length, 1);
  await history.complete("../../escape", {}, []);
  assert.deepEqual(readdirSync(directory.path), []);
  assert.equal(await history.messages("../../escape"), undefined);
  writeFileSync(directory.join("broken.record"), Buffer.from([0xff, 0xff]));
  assert.deepEqual(await history.list({ activeOnly: false, ref: "" }), []);
});
