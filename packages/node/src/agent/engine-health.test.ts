import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, Unavailable } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import { EngineHealth } from "./engine-health.ts";

test("an engine that is started again is not down, one that stays away is, until it answers", async () => {
  const clock = new FakeClock(1000);
  let answers = false;
  let network = true;
  const version = { version: "0.1.0", runtimeName: "engine", runtimeVersion: "1", runtimeApiVersion: "v1" };
  const ask = <Value>(value: Value): Promise<Value> =>
    answers ? Promise.resolve(value) : Promise.reject(new Unavailable("nobody answers"));
  const status = () => {
    const conditions = [{ type: "NetworkReady", status: network, reason: "NoCNI", message: "no lists" }];
    return { status: { conditions } } as unknown as Awaited<ReturnType<Cri["status"]>>;
  };
  const health = new EngineHealth({ version: () => ask(version), status: () => ask(status()) }, clock);
  const problem = async () => (await health.look()).problem;
  assert.equal(await problem(), undefined, "an agent that starts before its engine");
  answers = true;
  await clock.advance(29_000);
  assert.deepEqual(await health.look(), {
    version,
    problem: undefined,
    handlers: undefined,
    features: undefined,
  });
  answers = false;
  await clock.advance(29_000);
  assert.deepEqual(await health.look(), {
    version: undefined,
    problem: undefined,
    handlers: undefined,
    features: undefined,
  });
  await clock.advance(1000);
  assert.match((await problem()) ?? "", /^container runtime is down/);
  answers = true;
  network = false;
  assert.match((await problem()) ?? "", /^container runtime network not ready: NetworkReady=false reason:NoCNI/);
  answers = false;
  assert.match((await problem()) ?? "", /network not ready/, "what was wrong is so until it is said to be well");
  answers = true;
  network = true;
  assert.equal(await problem(), undefined);
});

test("an engine that stands still is down after a while, and nobody waits for it longer", async () => {
  const clock = new FakeClock(1000);
  const never = <Value>(): Promise<Value> => new Promise(() => {});
  const health = new EngineHealth({ version: never, status: never }, clock);
  const look = health.look();
  await clock.advance(30_000);
  const { version, problem } = await look;
  assert.deepEqual([version, problem], [undefined, "container runtime is down: its socket does not answer"]);
});
