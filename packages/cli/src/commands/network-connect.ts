import { defineCommand } from "../command.ts";
import { checkLink } from "../container-options/checks.ts";
import { pairsToObject } from "../container-options/environment.ts";
import { Failure } from "../failure.ts";
import { commaList, integer, list, text } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Connect a container to a network",
  flags: {
    alias: commaList("Add network-scoped alias for the container"),
    "driver-opt": commaList("driver options for the network"),
    "gw-priority": integer("Highest gw-priority provides the default gateway. Accepts positive and negative values."),
    ip: text('IPv4 address (e.g., "172.30.100.104")'),
    ip6: text('IPv6 address (e.g., "2001:db8::33")'),
    link: list("Add link to another container", { check: checkLink }),
    "link-local-ip": commaList("Add a link-local address for the container"),
  },
  operands: { min: 2, max: 2 },
  completes: ["network", "container"],
  async run(context, { flags, operands: [network = "", Container = ""] }) {
    const bad = flags["driver-opt"].find((option) => !/^\s*[^=\s][^=]*=/.test(option));
    if (bad !== undefined) throw new Failure("invalid key/value pair format in driver options");
    await context.api.call("POST", `/networks/${encodeURIComponent(network)}/connect`, {
      body: {
        Container,
        EndpointConfig: {
          IPAMConfig: { IPv4Address: flags.ip, IPv6Address: flags.ip6, LinkLocalIPs: flags["link-local-ip"] },
          Links: flags.link,
          Aliases: flags.alias,
          DriverOpts: pairsToObject(flags["driver-opt"]),
          GwPriority: flags["gw-priority"],
        },
      },
    });
  },
});
