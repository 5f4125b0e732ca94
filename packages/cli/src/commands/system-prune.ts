import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, filter, withoutShort } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";
import { confirm } from "../shared/confirm.ts";
import { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from "../shared/prune.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused data",
  flags: {
    all: bool("Remove all unused images not just dangling ones", { short: "a" }),
    filter: withoutShort(filter('Provide filter values (e.g. "label=<key>=<value>")')),
    force: bool("Do not prompt for confirmation", { short: "f" }),
    volumes: bool("Prune anonymous volumes"),
  },
  async run(context, { flags }) {
    if (!flags.force) await confirm(context, warning(flags), "system prune has been cancelled");
    const steps = [
      () => pruneContainers(context, flags.filter),
      ...(flags.volumes ? [() => pruneVolumes(context, flags.filter)] : []),
      () => pruneNetworks(context, flags.filter),
      () => pruneImages(context, flags.filter, flags.all),
    ];
    let total = 0;
    for (const step of steps) {
      const { text, reclaimed } = await step();
      if (text !== "") print(context, text);
      total += reclaimed;
    }
    print(context, `Total reclaimed space: ${humanSize(total)}`);
  },
});

function warning({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string {
  const items = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
  ];
  const lines = items.map((item) => `  - ${item}\n`).join("");
  return `WARNING! This will remove:\n${lines}\nAre you sure you want to continue?`;
}
