import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@boxship/base";
import { podInfoOf } from "../pod/pod-info.ts";
import { defaultProfile } from "../profile.ts";
import { clusterOf, node, type PodParts, pod } from "../testing/objects.ts";
import { SchedulingQueue } from "./scheduling-queue.ts";

const info = (name: string, parts?: PodParts) => podInfoOf(pod(name, parts));

function openQueue() {
  const clock = new FakeClock();
  const queue = new SchedulingQueue({ clock, pluginsOf: () => defaultProfile.plugins, onReady: () => {} });
  const takeAll = (): string[] => {
    const names: string[] = [];
    for (let next = queue.take(); next !== undefined; next = queue.take()) names.push(next.pod.pod.metadata.name ?? "");
    return names;
  };
  return { clock, queue, takeAll };
}

const fit = new Set(["NodeResourcesFit"]);

describe("pods without a place", () => {
  test("come by priority, then in the order of their arrival", async () => {
    const { clock, queue, takeAll } = openQueue();
    queue.put(info("first"));
    await clock.advance(1);
    queue.put(info("second"));
    await clock.advance(1);
    queue.put(info("important", { priority: 10 }));
    queue.put(info("gone"));
    queue.delete("default/gone");
    assert.deepEqual(takeAll(), ["important", "first", "second"]);
  });

  test("wait longer after each failure, at most ten seconds", async () => {
    const { clock, queue } = openQueue();
    queue.put(info("p"));
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      const queued = queue.take();
      assert.ok(queued);
      queue.putFailed(queued);
      await clock.advance(seconds * 1000 - 1);
      assert.equal(queue.take(), undefined);
      await clock.advance(1);
      assert.equal(queue.sizes.active, 1);
    }
  });

  test("are in nobody's way while they are decided about, and what changes meanwhile counts", async () => {
    const { clock, queue, takeAll } = openQueue();
    const one = pod("p", { cpu: "1" });
    const large = clusterOf([node("large")]).node("large");
    assert.ok(large);
    const again = (labels: Record<string, string>) => podInfoOf({ ...one, metadata: { ...one.metadata, labels } });
    queue.put(podInfoOf(one));
    for (const [happens, isTriedAgain] of [
      [() => queue.put(again({})), false],
      [() => queue.changed({ kind: "volumes" }), false],
      [() => queue.changed({ kind: "nodeAdded", node: large }), true],
      [() => queue.put(again({ now: "less" })), true],
    ] as const) {
      const queued = queue.take();
      assert.ok(queued);
      happens();
      assert.deepEqual(queue.sizes, { active: 0, backoff: 0, unschedulable: 0, gated: 0 });
      queue.putUnschedulable(queued, fit);
      assert.deepEqual([queue.sizes.backoff, queue.sizes.unschedulable], isTriedAgain ? [1, 0] : [0, 1]);
      queue.changed({ kind: "nodeAdded", node: large });
      await clock.advance(10_000);
    }
    const queued = queue.take();
    assert.ok(queued);
    assert.equal(queued.attempts, 5);
    queue.delete("default/p");
    queue.put(podInfoOf(pod("p")));
    queue.done(queued);
    assert.deepEqual(takeAll(), ["p"], "another one of its name");
  });

  test("that do not fit are tried when something helps that kept them out, not before their wait is over", async () => {
    const { clock, queue, takeAll } = openQueue();
    queue.put(info("p", { cpu: "1" }));
    const queued = queue.take();
    assert.ok(queued);
    queue.putUnschedulable(queued, fit);
    const small = clusterOf([node("small", { cpu: "500m" })]).node("small");
    const large = clusterOf([node("large")]).node("large");
    assert.ok(small && large);
    queue.changed({ kind: "nodeAdded", node: small });
    queue.changed({ kind: "nodeChanged", node: large, what: new Set(["labels"]) });
    assert.deepEqual(queue.sizes, { active: 0, backoff: 0, unschedulable: 1, gated: 0 });
    queue.changed({ kind: "nodeAdded", node: large });
    assert.deepEqual(queue.sizes, { active: 0, backoff: 1, unschedulable: 0, gated: 0 });
    await clock.advance(1000);
    assert.deepEqual(takeAll(), ["p"]);
  });

  test("that nothing helps are tried after five minutes, and no timer is left when all are gone", async () => {
    const { clock, queue, takeAll } = openQueue();
    queue.put(info("p"));
    const queued = queue.take();
    assert.ok(queued);
    queue.putUnschedulable(queued, fit);
    await clock.advance(5 * 60_000 - 1);
    assert.deepEqual(takeAll(), []);
    await clock.advance(1);
    assert.deepEqual(takeAll(), ["p"]);
    assert.equal(clock.waiting, 0);
  });

  test("that ask for something else are tried at once; a new status is nothing else", async () => {
    const { clock, queue } = openQueue();
    const before = pod("p", { cpu: "8" });
    queue.put(podInfoOf(before));
    const queued = queue.take();
    assert.ok(queued);
    queue.putUnschedulable(queued, fit);
    await clock.advance(2000);
    queue.put(podInfoOf({ ...before, status: { phase: "Pending" } }));
    assert.equal(queue.sizes.unschedulable, 1);
    queue.put(podInfoOf({ ...before, metadata: { ...before.metadata, labels: { a: "b" } } }));
    assert.equal(queue.sizes.active, 1);
  });

  test("with gates wait until there are none", () => {
    const { queue, takeAll } = openQueue();
    const gated = pod("p", { spec: { schedulingGates: [{ name: "example.com/wait" }] } });
    queue.put(podInfoOf(gated));
    assert.equal(queue.sizes.gated, 1);
    assert.deepEqual(takeAll(), []);
    queue.put(podInfoOf({ ...gated, spec: { containers: [{ name: "main" }] } }));
    assert.deepEqual(takeAll(), ["p"]);
  });
});
