import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { test } from "node:test";
import fc from "fast-check";
import { killIfThere, pidfdOpen, pidfdSendSignal, processExists, signalName, signalNumber } from "./signals.ts";

test("names and numbers as users write them", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["SIGTERM", 15],
    ["term", 15],
    ["9", 9],
    [" KILL ", 9],
    ["SIGUSR1", 10],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["rtmax-1", 63],
    ["SIGRTMAX", 64],
  ];
  for (const [text, number] of cases) {
    assert.equal(signalNumber(text), number, text);
  }
  for (const text of ["", "0", "65", "-1", "SIG", "RTMIN+31", "RTMAX+1", "TERMINATE", "1.5"]) {
    assert.throws(() => signalNumber(text), { code: "InvalidArgument" }, text);
  }
});

test("every number has a name that leads back to it", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 64 }), (number) => signalNumber(signalName(number)) === number));
  for (const [name, number] of Object.entries(constants.signals)) assert.equal(signalNumber(name), number);
  assert.equal(signalName(6), "SIGABRT");
});

test("a signal to a process that may have ended", async () => {
  const child = spawn("sleep", ["1000"]);
  const { pid } = child;
  assert.ok(pid !== undefined);
  const ended = once(child, "exit");
  assert.equal(killIfThere(pid, 9), true);
  assert.deepEqual(await ended, [null, "SIGKILL"]);
  assert.equal(killIfThere(pid, 9), false);
  assert.throws(() => killIfThere(process.pid, 1000), { code: "EINVAL" });
});

test("existence, and pidfds", () => {
  assert.equal(processExists(process.pid), true);
  assert.equal(processExists(2 ** 22 + 1), false);
  using pidfd = pidfdOpen(process.pid);
  pidfdSendSignal(pidfd, 0);
  assert.throws(() => pidfdOpen(2 ** 22 + 1), { code: "ESRCH" });
});
