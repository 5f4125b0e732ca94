import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import type { ApiClient, ObjectRef } from "@boxship/client";
import { beat } from "./beat.ts";
import { EngineHealth } from "./engine-health.ts";

const NODE = { apiVersion: "v1", kind: "Node", metadata: { name: "one", uid: "uid" } };

function setUp(look: (answer: unknown) => Promise<unknown>) {
  const clock = new FakeClock(1000);
  const ending = new AbortController();
  const told: string[] = [];
  let ready = "True";
  const client = {
    patch: async ({ resource }: ObjectRef) => void told.push(resource),
    get: async () => ({ ...NODE, status: { conditions: [{ type: "Ready", status: ready }] } }),
  } as unknown as ApiClient;
  const cri = { version: () => look({}), status: () => look({}) } as unknown as ConstructorParameters<
    typeof EngineHealth
  >[0];
  const options = {
    client,
    engine: new EngineHealth(cri, clock),
    images: () => look(undefined) as Promise<undefined>,
    tell: async () => void told.push("status"),
    well: () => {},
    clock,
    logger: silentLogger,
  };
  const done = beat(NODE, options, ending.signal);
  const seconds = async (many: number): Promise<readonly string[]> => {
    told.length = 0;
    for (let passed = 0; passed < many; passed++) await clock.advance(1000);
    return [...told];
  };
  const stop = async (): Promise<void> => {
    ending.abort();
    await clock.advance(60_000);
    await done;
  };
  return { seconds, stop, say: (status: string) => (ready = status) };
}

test("a node whose engine stands still goes on saying that it is there, and says once that it is not ready", async () => {
  let stands = false;
  const { seconds, stop } = setUp((answer) => (stands ? new Promise(() => {}) : Promise.resolve(answer)));
  assert.deepEqual(await seconds(20), ["leases", "leases"]);
  stands = true;
  const told = await seconds(100);
  assert.equal(told.filter((one) => one === "leases").length, 10, told.join(" "));
  assert.equal(told.filter((one) => one === "status").length, 1, told.join(" "));
  await stop();
});

test("a node that others have given up says how it is", async () => {
  const { seconds, stop, say } = setUp((answer) => Promise.resolve(answer));
  assert.deepEqual(await seconds(10), ["leases"]);
  say("Unknown");
  assert.deepEqual((await seconds(10)).toSorted(), ["leases", "status"]);
  say("True");
  assert.deepEqual(await seconds(10), ["leases"]);
  await stop();
});
