import assert from "node:assert/strict";
import { test } from "node:test";
import { containerView } from "../testing/scripted-engine.ts";
import { byteSize, progressBar } from "./byte-size.ts";
import { commandLine, processOf } from "./command-line.ts";
import { containerStatus } from "./container-status.ts";
import { humanDuration } from "./duration.ts";
import { rfc3339 } from "./time.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test("durations as docker ps words them", () => {
  const cases: readonly [number, string][] = [
    [-5, "Less than a second"],
    [450, "Less than a second"],
    [SECOND, "1 second"],
    [1.9 * SECOND, "1 second"],
    [45 * SECOND, "45 seconds"],
    [MINUTE, "About a minute"],
    [119 * SECOND, "About a minute"],
    [2 * MINUTE, "2 minutes"],
    [59 * MINUTE + 59 * SECOND, "59 minutes"],
    [HOUR, "About an hour"],
    [89 * MINUTE, "About an hour"],
    [90 * MINUTE, "2 hours"],
    [47 * HOUR, "47 hours"],
    [2 * DAY, "2 days"],
    [13 * DAY, "13 days"],
    [2 * 7 * DAY, "2 weeks"],
    [59 * DAY, "8 weeks"],
    [2 * 30 * DAY, "2 months"],
    [23.95 * 30 * DAY, "23 months"],
    [24.2 * 30 * DAY, "24 months"],
    [2 * 365 * DAY, "2 years"],
  ];
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text);
});

test("the status of a container", () => {
  const now = Date.UTC(2026, 0, 1);
  const ended = { exitCode: 137, startedAt: now - HOUR, finishedAt: now - 2 * SECOND, oomKilled: false };
  const running = { status: "running", pid: 1, startedAt: now - 5 * MINUTE } as const;
  const health = (status: "starting" | "healthy") => ({ status, failingStreak: 0, log: [] });
  const cases = [
    [containerView({ state: running }), "Up 5 minutes"],
    [containerView({ state: running, health: health("healthy") }), "Up 5 minutes (healthy)"],
    [containerView({ state: running, health: health("starting") }), "Up 5 minutes (health: starting)"],
    [containerView({ state: { ...running, status: "paused" } }), "Up 5 minutes (Paused)"],
    [containerView({ state: { ...ended, status: "exited" } }), "Exited (137) 2 seconds ago"],
    [containerView({ state: { ...ended, status: "restarting" } }), "Restarting (137) 2 seconds ago"],
    [containerView({ state: { status: "created", exitCode: 0 } }), "Created"],
    [containerView({ state: { status: "removing" } }), "Removal In Progress"],
    [containerView({ state: { status: "dead" } }), "Dead"],
  ] as const;
  for (const [view, text] of cases) assert.equal(containerStatus(view, now), text);
});

test("command lines", () => {
  assert.equal(commandLine({ entrypoint: [], cmd: ["sh", "-c", "echo hi"] }), "sh -c 'echo hi'");
  assert.equal(commandLine({ entrypoint: ["/e"], cmd: [] }), "/e");
  assert.deepEqual(processOf({ entrypoint: ["/e", "-x"], cmd: ["y"] }), { path: "/e", args: ["-x", "y"] });
});

test("sizes, bars and times", () => {
  assert.equal(byteSize(0), "0B");
  assert.equal(byteSize(999), "999B");
  assert.equal(byteSize(12_345_678), "12.35MB");
  assert.equal(progressBar(50, 100), `[${"=".repeat(25)}>${" ".repeat(25)}]      50B/100B`);
  assert.equal(progressBar(5, 0), "      5B");
  assert.equal(rfc3339(undefined), "0001-01-01T00:00:00Z");
  assert.equal(rfc3339(Date.UTC(2026, 0, 2)), "2026-01-02T00:00:00.000Z");
});
