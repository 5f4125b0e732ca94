import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { openTestBuilder } from "../testing/open-builder.ts";

test("what a command wrote arrives after its end, however late it is read, and nobody has to", async () => {
  await using opened = await openTestBuilder();
  const { working } = opened.builder;
  const { signal } = new AbortController();
  const { id: container } = await working.create({ from: "busybox" }, signal);
  const ended = Promise.withResolvers<void>();
  using _exits = opened.engine.parts.runtime.onExit(() => ended.resolve());
  // Each line is a packet of conmon's; all of them are more than are kept on the way.
  const { id } = working.createRun(container, {
    args: ["sh", "-c", "i=0; while [ $((i+=1)) -le 200 ]; do echo $i; usleep 1000; done"],
  });
  const session = await working.startRun(id, signal);
  await ended.promise;
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.equal(working.run(id).running, true);
  let output = "";
  for await (const { data } of session.output) output += data.toString();
  assert.equal(output.trimEnd().split("\n").length, 200);
  assert.deepEqual(working.run(id), { running: false, exitCode: 0 });
  // A reader that goes away, and none at all.
  const left = await working.startRun(working.createRun(container, { args: ["seq", "1", "100000"] }).id, signal);
  left.close();
  await working.startRun(working.createRun(container, { args: ["seq", "1", "100000"] }).id, signal);
  await working.remove(container);
});
