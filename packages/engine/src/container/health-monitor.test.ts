import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { HealthMonitor, type ProbeResult } from "./health-monitor.ts";

function monitor(config: ConstructorParameters<typeof HealthMonitor>[0]["config"], answers: (ProbeResult | "hang")[]) {
  const clock = new FakeClock();
  const statuses: string[] = [];
  const probe = (signal: AbortSignal) => {
    const answer = answers.shift() ?? { exitCode: 0, output: "" };
    if (answer !== "hang") return Promise.resolve(answer);
    return new Promise<ProbeResult>((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("aborted"))),
    );
  };
  const health = new HealthMonitor({ config, clock, probe, onStatus: (status) => statuses.push(status) });
  return { clock, health, statuses };
}

const fail: ProbeResult = { exitCode: 1, output: "no" };

test("three failures in a row make it unhealthy, one success healthy again", async () => {
  const { clock, health, statuses } = monitor({ test: ["CMD", "x"], intervalMs: 1000 }, [fail, fail, fail]);
  await clock.advance(2000);
  assert.equal(health.view.status, "starting");
  await clock.advance(1000);
  assert.equal(health.view.status, "unhealthy");
  await clock.advance(1000);
  assert.deepEqual(statuses, ["unhealthy", "healthy"]);
  assert.equal(health.view.log.length, 4);
  health[Symbol.dispose]();
  assert.equal(clock.waiting, 0);
});

test("failures in the start period do not count, and probes come faster", async () => {
  const config = { test: ["CMD", "x"], intervalMs: 10_000, startPeriodMs: 5000, startIntervalMs: 1000, retries: 1 };
  const { clock, health } = monitor(config, [fail, fail, fail, fail, fail, fail]);
  await clock.advance(4500);
  assert.equal(health.view.failingStreak, 0);
  assert.equal(health.view.log.length, 4);
  await clock.advance(11_000);
  assert.equal(health.view.status, "unhealthy");
  health[Symbol.dispose]();
});

test("a probe that hangs is stopped at its timeout and counts as a failure", async () => {
  const { clock, health } = monitor({ test: ["CMD", "x"], intervalMs: 1000, timeoutMs: 500, retries: 1 }, ["hang"]);
  await clock.advance(1500);
  assert.equal(health.view.status, "unhealthy");
  assert.match(health.view.log[0]?.output ?? "", /exceeded timeout \(500ms\)/);
  health[Symbol.dispose]();
});
