import { defineCommand } from "../command.ts";
import { bool } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Disconnect a container from a network",
  flags: { force: bool("Force the container to disconnect from a network", { short: "f" }) },
  operands: { min: 2, max: 2 },
  completes: ["network", "container"],
  async run(context, { flags, operands: [network = "", Container = ""] }) {
    await context.api.call("POST", `/networks/${encodeURIComponent(network)}/disconnect`, {
      body: { Container, Force: flags.force },
    });
  },
});
