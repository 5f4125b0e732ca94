import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObject } from "@boxship/api";
import { NODES, PODS } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import { podGarbageCollectorKeeping } from "./pod-gc-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({ definitions: [podGarbageCollectorKeeping(3)] });
});
after(() => world?.[Symbol.asyncDispose]());

const pod = (name: string, nodeName: string): Promise<KubeObject> =>
  world.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { nodeName, containers: [{ name: "c", image: "x" }] },
  });

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const names = async (): Promise<readonly (string | undefined)[]> =>
  (await world.list("v1", "pods")).map(({ metadata }) => metadata.name);

describe("pod garbage", () => {
  test("goes with its node, after a while", async () => {
    await world.client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "here" } });
    await golden("lost", [
      ["a pod on a node", () => pod("stays", "here")],
      ["one on a node that is not there", () => pod("lost", "nowhere")],
      ["half a minute goes by", () => world.advance(30)],
      ["another", () => world.advance(60)],
    ]);
    assert.deepEqual(await names(), ["stays"]);
  });

  test("goes from a node that is out of service, when somebody has deleted it", async () => {
    await world.client.delete({ ...PODS, namespace: "default", name: "stays" });
    await world.advance(120);
    assert.deepEqual(await names(), ["stays"], "its node may still end it");
    const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
    const ready = (status: string) => {
      const conditions = [{ type: "Ready", status }];
      return world.client.patch(
        { ...NODES, name: "here" },
        "merge",
        { status: { conditions } },
        { subresource: "status" },
      );
    };
    await ready("True");
    await world.client.patch({ ...NODES, name: "here" }, "merge", { spec: { taints } });
    await world.advance(60);
    assert.deepEqual(await names(), ["stays"], "it says that it is ready");
    await golden("out-of-service", [
      ["it is not ready any more", () => ready("False")],
      ["half a minute goes by", () => world.advance(30)],
    ]);
    assert.deepEqual(await names(), []);
  });

  test("goes when too many have ended, the oldest first; what runs stays", async () => {
    for (let index = 0; index < 6; index++) {
      await pod(`done-${index}`, "here");
      const phase = index === 2 ? "Running" : index === 4 ? "Failed" : "Succeeded";
      const ref = { ...PODS, namespace: "default", name: `done-${index}` };
      await world.client.patch(ref, "merge", { status: { phase } }, { subresource: "status" });
      await world.advance(1);
    }
    await world.advance(60);
    assert.deepEqual(await names(), ["done-2", "done-3", "done-4", "done-5"]);
  });
});
