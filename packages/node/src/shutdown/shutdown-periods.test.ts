import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../types.ts";
import { groupPods, parseShutdown, wholePeriod } from "./shutdown-periods.ts";

test("critical pods have the end of the whole time, and what cannot be is refused by its flag", () => {
  assert.deepEqual(parseShutdown({}), []);
  assert.deepEqual(parseShutdown({ "shutdown-grace-period": "0s" }), []);
  const periods = parseShutdown({ "shutdown-grace-period": "1m30s", "shutdown-grace-period-critical-pods": "20s" });
  assert.deepEqual(periods, [
    { priority: 0, seconds: 70 },
    { priority: 2_000_000_000, seconds: 20 },
  ]);
  assert.equal(wholePeriod(periods), 90);
  const refused = (flags: Parameters<typeof parseShutdown>[0], message: RegExp) =>
    assert.throws(() => parseShutdown(flags), { code: "InvalidArgument", message });
  refused(
    { "shutdown-grace-period": "500ms" },
    /^--shutdown-grace-period: 500ms must be either zero or otherwise >= 1/,
  );
  refused({ "shutdown-grace-period": "-3s" }, /^--shutdown-grace-period: -3s must be either zero/);
  refused({ "shutdown-grace-period": "soon" }, /^--shutdown-grace-period: .*soon/);
  refused({ "shutdown-grace-period-critical-pods": "1s" }, /^--shutdown-grace-period-critical-pods: .* must be <= /);
  const pairs = (text: string) => ({ "shutdown-grace-period-by-pod-priority": text });
  for (const wrong of ["1", "a=1", "1=-1", "1=1.5", "99999999999=1", "1=1,"])
    refused(pairs(wrong), /is not priority=sec/);
  refused(pairs("5=1,5=2"), /priority 5 is there twice/);
  refused({ ...pairs("5=1"), "shutdown-grace-period": "1s" }, /cannot be given with --shutdown-grace-period/);
});

test("pods end with those of the next lower priority that is named, the least first", () => {
  const periods = parseShutdown({ "shutdown-grace-period-by-pod-priority": "1000=5,-10=30,0=10" });
  const pods = [-100, -10, -1, undefined, 999, 1000, 2_000_001_000].map((priority): Pod => {
    const spec = { containers: [], ...(priority === undefined ? {} : { priority }) };
    return { apiVersion: "v1", kind: "Pod", metadata: {}, spec };
  });
  const groups = groupPods(periods, pods).map(({ seconds, pods: some }) => [
    seconds,
    some.map(({ spec }) => spec.priority),
  ]);
  assert.deepEqual(groups, [
    [30, [-100, -10, -1]],
    [10, [undefined, 999]],
    [5, [1000, 2_000_001_000]],
  ]);
  assert.deepEqual(groupPods(periods, []), []);
});
