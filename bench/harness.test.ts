import assert from "node:assert/strict";
import { test } from "node:test";
import { type Benchmark, runBenchmark, summarize, table } from "./harness.ts";

test("the summary is the median and the 10th and 90th percentile", () => {
  const values = Array.from({ length: 11 }, (_, index) => 10 - index);
  assert.deepEqual(summarize(values), { median: 5, low: 1, high: 9, values });
});

test("sides take turns, warm-up is not counted, what was prepared is disposed, targets are judged", async () => {
  const order: string[] = [];
  let disposed = 0;
  const side = (name: string, value: number) => ({
    name,
    before: () => Promise.resolve(void order.push(`(${name})`)),
    measure: () => Promise.resolve(order.push(name) && value),
  });
  const benchmark: Benchmark<undefined> = {
    name: "x",
    title: "work",
    unit: "ms",
    rounds: 2,
    warmUp: 1,
    targets: [
      { side: "ours", against: "theirs", atMost: 0.5 },
      { side: "ours", atMost: 5 },
      { side: "ours", against: "absent", atMost: 1 },
    ],
    prepare: (_, stack) => {
      stack.defer(() => void disposed++);
      return Promise.resolve([side("ours", 6), side("theirs", 12)]);
    },
  };
  const result = await runBenchmark(benchmark, undefined);
  assert.equal(order.join(" "), "(theirs) theirs (ours) ours (ours) ours (theirs) theirs (theirs) theirs (ours) ours");
  assert.equal(disposed, 1);
  assert.deepEqual(result.sides["ours"]?.values, [6, 6]);
  assert.deepEqual(
    result.targets.map(({ value, met }) => [value, met]),
    [
      [0.5, true],
      [6, false],
    ],
  );
  const lines = table([result]).split("\n");
  assert.match(
    lines[2] ?? "",
    /work \(ms\) .* 6\.00 .* met: 0\.50× of theirs, at most 0\.50×; MISSED: 6\.00, at most 5\.00/,
  );
  assert.match(lines[3] ?? "", /theirs .* 12\.0 .* 2\.00×/);
});
