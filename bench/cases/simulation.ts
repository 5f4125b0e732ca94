import { sampleLoad, simulate } from "@boxship/simulation";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";

const [NODES, PODS, HOURS] = [50, 100, 1000];

/** How fast a clock is wound through hours in which nothing happens. */
export const simulationBenchmarks: readonly Benchmark<Context>[] = [
  {
    name: "simulate-quiet",
    title: `${HOURS} hours of a quiet simulated cluster of ${NODES} nodes and ${PODS} pods`,
    unit: "ms",
    rounds: 3,
    warmUp: 0,
    targets: [{ side: "boxship", atMost: 60_000 }],
    prepare() {
      const measure = async (): Promise<number> => {
        const started = performance.now();
        const { violations } = await simulate({ seed: 1, loads: sampleLoad(NODES, PODS), minutes: HOURS * 60 });
        if (violations.length > 0) throw new Error(violations.join("\n"));
        return performance.now() - started;
      };
      return Promise.resolve([{ name: "boxship", measure }]);
    },
  },
];
