import { InvalidArgument } from "@boxship/base";
import { type CniNetworkList, findNetworkList, parseNetworkList, readNetworkFile } from "../cni/configuration.ts";
import { checkPlugins } from "../cni/network-list.ts";
import type { CreateNetworkOptions } from "../contract.ts";
import type { ManagerContext } from "../live.ts";
import type { StoredNetwork } from "../state/stored.ts";
import type { CniSettings } from "./driver-options.ts";
import type { NetworkPlan } from "./network-plan.ts";

/**
 * A network of CNI plugins. The configuration is kept as it is now: containers are detached with the one with which they
 * were attached, and a network means the same after its file was changed.
 */
export async function buildCniNetwork(
  context: ManagerContext,
  { id, options }: NetworkPlan,
  settings: CniSettings,
): Promise<StoredNetwork> {
  refuseOwnAddresses(options);
  const cni = readConfiguration(context, options.name, settings);
  await checkPlugins(context.cni, cni);
  return {
    record: {
      id,
      name: options.name,
      created: context.clock.now(),
      driver: "cni",
      scope: "local",
      internal: false,
      attachable: options.attachable ?? false,
      enableIPv4: true,
      enableIPv6: false,
      ipam: { driver: "cni", config: [] },
      options: options.options ?? {},
      labels: options.labels ?? {},
      predefined: false,
    },
    ownsInterface: false,
    cni,
  };
}

function readConfiguration(context: ManagerContext, name: string, settings: CniSettings): CniNetworkList {
  if (settings.conflist !== undefined) return parseNetworkList(settings.conflist, `of network ${name}`);
  if (settings.file !== undefined) return readNetworkFile(context.cniConfigurations, settings.file);
  return findNetworkList(context.cniConfigurations, name);
}

/** What plugins decide, nobody else can. */
function refuseOwnAddresses({ name, ipam, internal, enableIPv4, enableIPv6 }: CreateNetworkOptions): void {
  const what = [
    ipam?.config !== undefined && ipam.config.length > 0 && "subnets",
    internal === true && "internal",
    (enableIPv6 === true || enableIPv4 === false) && "address families",
  ].find((text) => text !== false);
  if (what === undefined) return;
  throw new InvalidArgument(`network ${name} has the driver cni, and its configuration says all about ${what}`, {
    subject: { kind: "network", name },
    remedy: "leave that out of the request and write it into the CNI configuration",
  });
}
