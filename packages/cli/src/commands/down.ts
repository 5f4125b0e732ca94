import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { stopCluster } from "../shared/cluster-process.ts";

export const command = defineCommand({
  usage: "",
  summary: "Stop the Kubernetes API of this instance; what it holds stays",
  flags: {},
  async run(context) {
    const stopped = await stopCluster(context.instance);
    print(context, stopped ? "The cluster is stopped" : "The cluster is not running");
  },
});
