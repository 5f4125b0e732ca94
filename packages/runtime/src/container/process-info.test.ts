import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { describeProcesses, parseProcStat } from "./process-info.ts";

describe("processes as ps shows them", () => {
  test("a name may hold anything", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), (name) => {
        const { name: parsed, fields } = parseProcStat(`42 (${name}) S 1 42 42 0 -1`);
        assert.equal(parsed, name);
        assert.deepEqual(fields, ["S", "1", "42", "42", "0", "-1"]);
      }),
    );
  });

  test("this process, and none for an id that is gone", () => {
    const [own, ...others] = describeProcesses([process.pid, 2 ** 22 - 1], Date.now());
    assert.deepEqual(others, []);
    assert.equal(own?.pid, process.pid);
    assert.equal(own?.parentPid, process.ppid);
    assert.equal(own?.uid, process.getuid?.());
    assert.match(own?.state ?? "", /^[RS]/);
    assert.ok((own?.threads ?? 0) > 1);
    assert.ok((own?.cpuMs ?? 0) > 0 && (own?.memoryPercent ?? 0) > 0);
    assert.match(own?.command ?? "", /node/);
    assert.ok(Math.abs(Date.now() - (own?.startedAt.getTime() ?? 0) - process.uptime() * 1000) < 3000);
  });

  test("a kernel thread has its name in brackets", () => {
    assert.match(describeProcesses([2], Date.now())[0]?.command ?? "[kthreadd]", /^\[kthreadd\]$/);
  });
});
