import { spawn } from "node:child_process";
import { once } from "node:events";
import { clusterCommand } from "@boxship/base/entry";
import { defineCommand } from "../command.ts";
import { Exit } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Run a cluster that exists only in its API, on a clock that is wound",
  flags: {
    faults: bool("Nodes are lost, writes fail, controllers end in the middle, clocks are wrong"),
    history: text("Where to write what was done, line by line", { hint: "path" }),
    minutes: text("How much time goes by in the cluster", { hint: "number", initial: "30" }),
    nodes: text("Nodes of 32 cores, 64 GiB and room for 110 pods, without --scenario (10)", { hint: "number" }),
    "only-faults": text("Of the seed's faults only those of these numbers", { hint: "list" }),
    pods: text("Pods in Deployments, StatefulSets and Jobs, without --scenario (100)", { hint: "number" }),
    scenario: text("Manifest of nodes and workloads, with times", { hint: "path" }),
    seed: text("The same seed gives the same history", { hint: "number", initial: "1" }),
    svg: text("Where to draw what happened", { hint: "path" }),
  },
  async run(_, { flags, changed }) {
    const [file, ...args] = clusterCommand();
    const { faults, ...texts } = flags;
    const given = Object.entries(texts).flatMap(([name, value]) => (changed.has(name) ? [`--${name}=${value}`] : []));
    const child = spawn(file, [...args, "simulate", ...given, ...(faults ? ["--faults"] : [])], { stdio: "inherit" });
    const [status] = (await once(child, "exit")) as [number | null];
    if (status !== 0) throw new Exit(status ?? 1);
  },
});
