import { requireRoot } from "../api-client/require-root.ts";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { removeKubeconfig, stopCluster } from "../shared/cluster-process.ts";
import { confirm } from "../shared/confirm.ts";
import { shutDown } from "../shared/shut-down.ts";

const WARNING = `WARNING! This will remove everything that this instance of the engine has:
  - all containers, running ones too
  - all images, networks and volumes
  - its cluster, if it has one
  - its bridges, firewall table, mounts and control groups, and the engine itself

Are you sure you want to continue?`;

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove the instance with all that it has, and end its engine",
  flags: { force: bool("Do not prompt for confirmation", { short: "f" }) },
  async run(context, { flags }) {
    if (!flags.force) await confirm(context, WARNING, "system reset has been cancelled");
    await requireRoot(context.instance, context.endpoint);
    await removeKubeconfig(context.instance);
    await stopCluster(context.instance);
    await shutDown(context, { reset: true });
    print(context, "The instance and all that it had are gone");
  },
});
