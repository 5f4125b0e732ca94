import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, Unsupported } from "@boxship/base";
import { ContainerState, type Cri } from "@boxship/cri";
import { LABEL } from "../labels.ts";
import { engineEvents } from "./engine-events.ts";

test("an engine that tells nothing by itself is looked at", async () => {
  const states = new Map([["a", ContainerState.Created as number]]);
  const labels = { [LABEL.podUid]: "uid" };
  let pods = [{ id: "pod", state: 0, labels }];
  const cri = {
    getContainerEvents: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Unsupported("unknown method GetContainerEvents")),
      }),
    }),
    listContainers: async () => ({ containers: [...states].map(([id, state]) => ({ id, state, labels })) }),
    listPodSandbox: async () => ({ items: pods }),
  } as unknown as Cri;
  const clock = new FakeClock();
  const ending = new AbortController();
  const events = engineEvents(cri, clock, ending.signal)[Symbol.asyncIterator]();
  const next = async (change: () => void) => {
    const told = events.next();
    await clock.advance(0);
    change();
    await clock.advance(1000);
    const { value } = await told;
    return value === undefined ? undefined : [value.podUid, value.containerId, value.over];
  };
  assert.deepEqual(await next(() => states.set("a", ContainerState.Running)), ["uid", "a", false]);
  assert.deepEqual(await next(() => states.set("a", ContainerState.Exited)), ["uid", "a", true]);
  assert.deepEqual(await next(() => states.delete("a")), ["uid", "a", true]);
  assert.deepEqual(await next(() => (pods = [{ id: "pod", state: 1, labels }])), ["uid", "", true]);
  assert.deepEqual(await next(() => (pods = [])), ["uid", "", true]);
  assert.equal(await next(() => ending.abort()), undefined);
});
