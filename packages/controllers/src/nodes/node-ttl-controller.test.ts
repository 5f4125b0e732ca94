import assert from "node:assert/strict";
import { test } from "node:test";
import { NODES } from "../shared/resources.ts";
import { startWorld } from "../testing/world.ts";
import { nodeTtlController } from "./node-ttl-controller.ts";

test("nodes keep what they have read for longer from a hundred on, until there are fewer than ninety", async () => {
  await using world = await startWorld({ definitions: [nodeTtlController] });
  const add = (index: number): Promise<unknown> =>
    world.client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: `n${index}` } });
  const values = async (): Promise<readonly (string | undefined)[]> => {
    await world.settle();
    const { items } = await world.client.list(NODES);
    return [...new Set(items.map(({ metadata }) => metadata.annotations?.["node.alpha.kubernetes.io/ttl"]))];
  };
  await Promise.all(Array.from({ length: 100 }, (_, index) => add(index)));
  assert.deepEqual(await values(), ["0"]);
  await add(100);
  assert.deepEqual(await values(), ["15"]);
  for (let index = 100; index > 89; index--) await world.client.delete({ ...NODES, name: `n${index}` });
  assert.deepEqual(await values(), ["15"], "ninety are not fewer");
  await world.client.delete({ ...NODES, name: "n0" });
  assert.deepEqual(await values(), ["0"]);
});
