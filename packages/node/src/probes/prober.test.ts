import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineExceeded, FakeClock, Unavailable } from "@boxship/base";
import type { ContainerSpec } from "../types.ts";
import { ContainerProbes } from "./prober.ts";

/** Instead of an exit code: the engine is not there, or the command takes too long. */
const AWAY = -1;
const LATE = -2;
const TIMED_OUT = 'liveness: command timed out: "true" timed out after 1s';

function world(
  container: Partial<ContainerSpec>,
  known?: { started: boolean; ready: boolean },
  clock: FakeClock = new FakeClock(1000),
) {
  const answers: number[] = [];
  const asked: number[] = [];
  const failures: string[] = [];
  const cri = {
    execSync: () => {
      asked.push(clock.now());
      const exitCode = answers.shift() ?? 0;
      if (exitCode === AWAY) return Promise.reject(new Unavailable("no engine answers"));
      if (exitCode === LATE) return Promise.reject(new DeadlineExceeded("timed out"));
      return Promise.resolve({ exitCode, stdout: new Uint8Array(), stderr: Buffer.from("no") });
    },
  };
  const probes = new ContainerProbes({
    cri,
    clock,
    containerId: "c",
    container: { name: "c", ...container },
    podIP: () => "",
    startedAt: 1000,
    ...(known === undefined ? {} : { known }),
    changed: () => {},
    failed: (kind, output, errored) => failures.push(`${kind}${errored ? " errored" : ""}: ${output}`),
  });
  const advance = (seconds: number) => clock.advance(seconds * 1000);
  return { answers, asked, failures, probes, advance };
}

const exec = { command: ["true"] };

test("a container without probes is ready at once", () => {
  using probes = world({}).probes;
  assert.deepEqual([probes.started, probes.ready, probes.unhealthy], [true, true, undefined]);
});

test("readiness follows its thresholds", async () => {
  const readinessProbe = { exec, initialDelaySeconds: 5, periodSeconds: 2, successThreshold: 2, failureThreshold: 2 };
  const { probes, answers, asked, advance, failures } = world({ readinessProbe });
  using _probes = probes;
  answers.push(1, 0, 0, 1, 1);
  await advance(4);
  assert.deepEqual(asked, []);
  await advance(4);
  assert.deepEqual([probes.ready, asked], [false, [6000, 8000]]);
  await advance(2);
  assert.equal(probes.ready, true);
  await advance(2);
  assert.equal(probes.ready, true);
  await advance(2);
  assert.equal(probes.ready, false);
  assert.deepEqual(failures, ["readiness: no", "readiness: no", "readiness: no"]);
  assert.equal(probes.unhealthy, undefined);
});

test("a clock that is set back holds no probe up", async () => {
  const clock = new FakeClock(1000);
  clock.jump(-3_600_000);
  const { probes, advance } = world({ readinessProbe: { exec, initialDelaySeconds: 5 } }, undefined, clock);
  using _probes = probes;
  await advance(4);
  assert.equal(probes.ready, false);
  await advance(1);
  assert.equal(probes.ready, true);
});

test("what was told of a container before holds until its probes say otherwise", async () => {
  const probe = { exec, periodSeconds: 1, failureThreshold: 2 };
  const container = { startupProbe: probe, readinessProbe: probe, livenessProbe: { ...probe, failureThreshold: 3 } };
  const { probes, answers, advance } = world(container, { started: true, ready: true });
  using _probes = probes;
  assert.deepEqual([probes.started, probes.ready], [true, true]);
  // Liveness and readiness in turn.
  answers.push(1, 1, 1, 1, 1);
  await advance(0);
  assert.deepEqual([probes.ready, probes.unhealthy], [true, undefined]);
  await advance(1);
  assert.deepEqual([probes.started, probes.ready, probes.unhealthy], [true, false, undefined]);
  await advance(1);
  assert.equal(probes.unhealthy?.kind, "liveness");
});

test("liveness waits for the startup probe, and three failures in a row are the end", async () => {
  const probe = { exec, periodSeconds: 1 };
  const { probes, answers, advance } = world({ startupProbe: { ...probe, failureThreshold: 5 }, livenessProbe: probe });
  using _probes = probes;
  const state = () => ({ started: probes.started, ready: probes.ready, unhealthy: probes.unhealthy?.kind });
  answers.push(1, 1, 0, 1, 0, 1, 1, 1);
  await advance(1.5);
  assert.deepEqual(state(), { started: false, ready: false, unhealthy: undefined });
  await advance(1);
  assert.deepEqual(state(), { started: true, ready: true, unhealthy: undefined });
  await advance(3);
  assert.equal(state().unhealthy, undefined);
  await advance(1);
  assert.equal(state().unhealthy, "liveness");
});

test("an engine that is away for a while makes nobody ill, and a command that takes too long does", async () => {
  const probe = { exec, periodSeconds: 1, failureThreshold: 2 };
  const { probes, answers, asked, advance, failures } = world({ livenessProbe: probe }, { started: true, ready: true });
  using _probes = probes;
  answers.push(1, AWAY, AWAY, AWAY, 0, LATE, AWAY, LATE);
  await advance(6);
  assert.deepEqual([asked.length, probes.unhealthy], [7, undefined]);
  await advance(1);
  assert.equal(probes.unhealthy?.kind, "liveness");
  assert.deepEqual(failures, [
    "liveness: no",
    ...Array(3).fill("liveness errored: no engine answers"),
    TIMED_OUT,
    "liveness errored: no engine answers",
    TIMED_OUT,
  ]);
});
