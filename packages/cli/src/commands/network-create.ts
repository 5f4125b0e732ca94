import { defineCommand } from "../command.ts";
import { checkLabel } from "../container-options/checks.ts";
import { pairsToObject } from "../container-options/environment.ts";
import { print } from "../context.ts";
import { bool, commaList, keyValues, list, text } from "../flags/flag.ts";
import { buildIpam } from "../shared/ipam.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK",
  summary: "Create a network",
  flags: {
    attachable: bool("Enable manual container attachment"),
    "aux-address": keyValues("Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    "config-from": text("The network from which to copy the configuration"),
    "config-only": bool("Create a configuration only network"),
    driver: text("Driver to manage the Network", { short: "d", initial: "bridge" }),
    gateway: commaList("IPv4 or IPv6 Gateway for the master subnet"),
    ingress: bool("Create swarm routing-mesh network"),
    internal: bool("Restrict external access to the network"),
    "ip-range": commaList("Allocate container ip from a sub-range"),
    "ipam-driver": text("IP Address Management Driver", { initial: "default" }),
    "ipam-opt": keyValues("Set IPAM driver specific options"),
    ipv4: bool("Enable or disable IPv4 address assignment", { initial: true }),
    ipv6: bool("Enable or disable IPv6 address assignment"),
    label: list("Set metadata on a network", { check: checkLabel }),
    opt: keyValues("Set driver specific options", { short: "o" }),
    scope: text("Control the network's scope"),
    subnet: commaList("Subnet in CIDR format that represents a network segment"),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, changed, operands: [Name = ""] }) {
    const IPAM = buildIpam({
      driver: flags["ipam-driver"],
      subnets: flags.subnet,
      ranges: flags["ip-range"],
      gateways: flags.gateway,
      auxiliary: flags["aux-address"],
      options: flags["ipam-opt"],
    });
    const created = await context.api.json<{ readonly Id: string; readonly Warning?: string }>(
      "POST",
      "/networks/create",
      {
        body: {
          Name,
          Driver: flags.driver,
          Scope: flags.scope,
          ...(changed.has("ipv4") && { EnableIPv4: flags.ipv4 }),
          ...(changed.has("ipv6") && { EnableIPv6: flags.ipv6 }),
          IPAM,
          Internal: flags.internal,
          Attachable: flags.attachable,
          Ingress: flags.ingress,
          ConfigOnly: flags["config-only"],
          ...(flags["config-from"] !== "" && { ConfigFrom: { Network: flags["config-from"] } }),
          Options: flags.opt,
          Labels: pairsToObject(flags.label),
          // Engines of before 1.44 made a second network of the same name without being asked not to.
          CheckDuplicate: true,
        },
      },
    );
    if (created.Warning) context.stderr.write(`WARNING: ${created.Warning}\n`);
    print(context, created.Id);
  },
});
