import { defineCommand } from "../command.ts";
import { parseRestartPolicy } from "../container-options/build-container.ts";
import { parseCpus } from "../container-options/limits.ts";
import { warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { bytes, bytesOrUnlimited, custom, integer, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { operateOnEach } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Update configuration of one or more containers",
  flags: {
    "blkio-weight": integer("Block IO (relative weight), between 10 and 1000, or 0 to disable", {
      bits: 16,
      unsigned: true,
    }),
    "cpu-period": integer("Limit CPU CFS (Completely Fair Scheduler) period"),
    "cpu-quota": integer("Limit CPU CFS (Completely Fair Scheduler) quota"),
    "cpu-rt-period": integer("Limit the CPU real-time period in microseconds"),
    "cpu-rt-runtime": integer("Limit the CPU real-time runtime in microseconds"),
    "cpu-shares": integer("CPU shares (relative weight)", { short: "c" }),
    cpus: custom<number>("Number of CPUs", { hint: "decimal", initial: 0, parse: parseCpus }),
    "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
    "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
    memory: bytes("Memory limit", { short: "m" }),
    "memory-reservation": bytes("Memory soft limit"),
    "memory-swap": bytesOrUnlimited("Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
    "pids-limit": integer("Tune container pids limit (set -1 for unlimited)"),
    restart: text("Restart policy to apply when a container exits"),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, changed, operands }) {
    if (changed.size === 0) throw new Failure("you must provide one or more flags when using this command");
    const body = {
      BlkioWeight: flags["blkio-weight"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      NanoCpus: flags.cpus,
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
      Memory: flags.memory,
      MemoryReservation: flags["memory-reservation"],
      MemorySwap: flags["memory-swap"],
      ...(changed.has("pids-limit") && { PidsLimit: flags["pids-limit"] }),
      ...(changed.has("restart") && { RestartPolicy: parseRestartPolicy(flags.restart) }),
    };
    await operateOnEach(context, operands, async (name) => {
      const path = containerPath(name, "/update");
      const answer = await context.api.json<{ readonly Warnings?: readonly string[] | null }>("POST", path, { body });
      for (const warning of answer.Warnings ?? []) warn(context, warning);
    });
  },
});
