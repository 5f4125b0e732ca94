import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { percentile } from "../kubernetes-cluster.ts";
import { createPods, namesOf, removePods, startNode } from "../kubernetes-pods.ts";

/** As many as the slowest of a hundred takes to show. */
const ONE_BY_ONE = 100;

/** Pods on a node with the image present, beside what upstream takes on the same kind of machine (540 ms, 6.7 s, 0.9 s). */
function starting(name: string, title: string, count: number, atMost: number): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: count > 1 ? 3 : 15,
    warmUp: 1,
    targets: [{ side: "boxship", atMost }],
    async prepare(_context, stack) {
      const { client } = await startNode(stack);
      let present: readonly string[] = [];
      return [
        {
          name: "boxship",
          before: async () => {
            if (present.length > 0) await removePods(client, present);
          },
          measure: async () => {
            present = namesOf(count);
            return await createPods(client, present);
          },
        },
      ];
    },
  };
}

export const podBenchmarks: readonly Benchmark<Context>[] = [
  starting("pod/start", "one pod, image present: create to Running", 1, 150),
  {
    name: "pod/start-p99",
    title: `the same, the slowest but one of ${ONE_BY_ONE} one after the other`,
    unit: "ms",
    rounds: 1,
    warmUp: 0,
    targets: [{ side: "boxship", atMost: 400 }],
    async prepare(_context, stack) {
      const { client } = await startNode(stack);
      const measure = async (): Promise<number> => {
        const times: number[] = [];
        for (let index = 0; index < ONE_BY_ONE; index++) {
          times.push(await createPods(client, [`pod-${index}`]));
          await removePods(client, [`pod-${index}`]);
        }
        return percentile(times, 0.98);
      };
      return [{ name: "boxship", measure }];
    },
  },
  starting("pod/start-30", "30 pods at once: create to all Running", 30, 1500),
  starting("pod/start-100", "100 pods at once: create to all Running", 100, 5000),
  {
    name: "pod/delete",
    title: "one pod that handles SIGTERM: delete to gone",
    unit: "ms",
    warmUp: 1,
    targets: [{ side: "boxship", atMost: 200 }],
    async prepare(_context, stack) {
      const { client } = await startNode(stack);
      const names = namesOf(1);
      return [
        {
          name: "boxship",
          before: async () => void (await createPods(client, names)),
          measure: () => removePods(client, names),
        },
      ];
    },
  },
];
