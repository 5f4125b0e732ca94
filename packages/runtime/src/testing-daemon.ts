import { silentLogger, systemClock } from "@boxship/base";
import { ContainerRuntime } from "./container-runtime.ts";
import type { CreateContainer, ExecRequest, RuntimeOptions } from "./contract.ts";

/**
 * A daemon for tests to kill: reads one job from its argument, does it, says `done`, and lives on.
 */
interface Job {
  readonly options: Omit<RuntimeOptions, "logger" | "clock">;
  readonly containers: readonly CreateContainer[];
  readonly start: boolean;
  readonly exec?: ExecRequest;
}

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const runtime = await ContainerRuntime.open({ ...job.options, logger: silentLogger, clock: systemClock });
process.stdout.write("open\n");
await Promise.all(
  job.containers.map(async (container) => {
    await runtime.create(container);
    if (job.start) await runtime.start(container.id);
    if (job.exec !== undefined) await runtime.exec(container.id, job.exec);
  }),
);
process.stdout.write("done\n");
setInterval(() => {}, 1000);
