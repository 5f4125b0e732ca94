import { AlreadyExists, PermissionDenied } from "@boxship/base";
import type { CreateNetworkOptions, NetworkRecord } from "../contract.ts";
import { LiveNetwork, type ManagerContext } from "../live.ts";
import { buildCniNetwork } from "./network-cni.ts";
import { findNetwork } from "./network-get.ts";
import { buildNetwork, type NetworkPlan, planNetwork } from "./network-plan.ts";
import { lowerNetwork, raiseNetwork } from "./network-raise.ts";
import { saveNetworks } from "./save-networks.ts";
import { withSubnetLock } from "./subnet-lock.ts";

/** Creates a network: durable, its device up and its firewall elements in effect once it resolves. */
export async function createNetwork(context: ManagerContext, options: CreateNetworkOptions): Promise<NetworkRecord> {
  const plan = planNetwork(options);
  if (plan.driver === "host" || plan.driver === "null") {
    throw new PermissionDenied(`only one instance of "${plan.driver}" network is allowed`, {
      subject: { kind: "network", name: options.name },
    });
  }
  return await context.locks.run("networks", async () => {
    refuseTakenName(context, plan);
    const network =
      plan.settings.driver === "cni"
        ? new LiveNetwork(await buildCniNetwork(context, plan, plan.settings))
        : await makeNetwork(context, plan);
    context.networks.set(plan.id, network);
    try {
      await saveNetworks(context);
    } catch (error) {
      context.networks.delete(plan.id);
      await lowerNetwork(context, network);
      throw error;
    }
    return network.record;
  });
}

/**
 * Whether a network could be made if another were gone, as far as that can be told beforehand.
 *
 * @param without a reference of the other
 * @throws what {@link createNetwork} would
 */
export async function checkNetwork(
  context: ManagerContext,
  options: CreateNetworkOptions,
  without: string,
): Promise<void> {
  const plan = planNetwork(options);
  const { record } = findNetwork(context, without);
  const networks = new Map([...context.networks].filter(([id]) => id !== record.id));
  const rest = { ...context, networks };
  if (plan.settings.driver === "cni") return void (await buildCniNetwork(rest, plan, plan.settings));
  const { links, addresses, routes } = await context.thread.call("readHostState", undefined);
  const own = links.find(({ name }) => name === record.interfaceName)?.index;
  const isOthers = ({ link }: { readonly link: number | undefined }): boolean => link === undefined || link !== own;
  buildNetwork(rest, plan, { links, addresses: addresses.filter(isOthers), routes: routes.filter(isOthers) });
}

async function makeNetwork(context: ManagerContext, plan: NetworkPlan): Promise<LiveNetwork> {
  return await withSubnetLock(context, async () => {
    const host = await context.thread.call("readHostState", undefined);
    const network = new LiveNetwork(buildNetwork(context, plan, host));
    const { driver } = network.settings;
    if (driver === "macvlan" || driver === "ipvlan") await context.thread.call("requireLinkKind", driver);
    await raiseNetwork(context, network, host);
    return network;
  });
}

function refuseTakenName(context: ManagerContext, { id, options: { name } }: NetworkPlan): void {
  for (const { record } of context.networks.values()) {
    if (record.name !== name && record.id !== id) continue;
    if (record.predefined) {
      throw new PermissionDenied(`operation is not permitted on predefined ${record.name} network`, {
        subject: { kind: "network", name },
      });
    }
    throw new AlreadyExists(`network with name ${name} already exists`, { subject: { kind: "network", name } });
  }
}
