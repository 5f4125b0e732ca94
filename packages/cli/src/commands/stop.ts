import { defineCommand } from "../command.ts";
import { endContainers, endFlags } from "../shared/end-containers.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: endFlags,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  run: (context, request) => endContainers(context, "stop", request),
});
