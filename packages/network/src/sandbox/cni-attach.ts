import { errorMessage, FailedPrecondition, Unsupported } from "@boxship/base";
import type { CniNetworkList } from "../cni/configuration.ts";
import { addToList, checkInList, collectGarbage, deleteFromList, hasCapability } from "../cni/network-list.ts";
import type { CniAttachment } from "../cni/plugin.ts";
import { type CniInterface, readResult } from "../cni/result.ts";
import type { Bandwidth, ConnectOptions, EndpointRecord } from "../contract.ts";
import type { LiveNetwork, LiveSandbox, ManagerContext } from "../live.ts";
import { currentList } from "../networks/network-cni.ts";
import type { StoredAttachment } from "../state/attachment-store.ts";
import type { StoredEndpoint } from "../state/stored.ts";

/**
 * Attaches a sandbox to a CNI network. The attachment is on disk before the first plugin runs: a crash at any moment
 * leaves something by which the plugins are made to undo it.
 */
export async function attachCni(
  context: ManagerContext,
  sandbox: LiveSandbox,
  network: LiveNetwork,
  interfaceName: string,
  options: ConnectOptions,
): Promise<CniInterface & Pick<EndpointRecord, "pluginPorts">> {
  const list = await currentList(context, network);
  const attachment = planAttachment(list, sandbox, interfaceName, options);
  const stored: StoredAttachment = { networkId: network.record.id, list, attachment };
  await context.attachments.save(stored);
  try {
    const result = await addToList(context.cni, list, attachment);
    await context.attachments.save({ ...stored, result });
    const made = readResult(result, interfaceName);
    refuseOtherAddress(network, made, options);
    return { ...made, pluginPorts: "portMappings" in attachment.capabilities };
  } catch (error) {
    await undo(context, stored);
    throw error;
  }
}

/** What was asked for, in each of the ways in which plugins take it (CNI's conventions). */
function planAttachment(
  list: CniNetworkList,
  sandbox: LiveSandbox,
  interfaceName: string,
  options: ConnectOptions,
): CniAttachment {
  const ips = [options.requestedIPv4, options.requestedIPv6].filter((address) => address !== undefined);
  const { macAddress: mac, aliases = [], bandwidth, plugins } = options;
  const ports = plugins?.ports ?? [];
  if (bandwidth !== undefined && !hasCapability(list, "bandwidth")) {
    throw new Unsupported(`CNI configuration ${list.name} cannot limit bandwidth: no plugin of it has the capability`, {
      subject: { kind: "CNI configuration", name: list.name },
      remedy: 'add {"type": "bandwidth", "capabilities": {"bandwidth": true}} to its plugins',
    });
  }
  return {
    containerId: sandbox.stored.id,
    namespace: sandbox.stored.path,
    interfaceName,
    capabilities: {
      ...(ips.length === 0 ? {} : { ips }),
      ...(mac === undefined ? {} : { mac }),
      ...(aliases.length === 0 ? {} : { aliases: { [options.networkId]: aliases } }),
      ...(bandwidth === undefined ? {} : { bandwidth: bandwidthArgument(bandwidth) }),
      ...(ports.length === 0 || !hasCapability(list, "portMappings") ? {} : { portMappings: ports }),
      ...plugins?.capabilities,
    },
    args: {
      IgnoreUnknown: "1",
      ...(ips.length === 0 ? {} : { IP: ips.join(",") }),
      ...(mac === undefined ? {} : { MAC: mac }),
      ...plugins?.args,
    },
  };
}

/** Bits: below the first, packets that the kernel sends as one do not pass; beyond the second there are no words for it. */
const [LEAST_BURST, MOST_BURST] = [1e6, 0xffffffff];

/** What comes at once may be what a quarter of a second has room for, as on networks of our own. */
function bandwidthArgument({ ingress, egress }: Bandwidth): object {
  const burst = (rate: number): number => Math.min(MOST_BURST, Math.max(LEAST_BURST, Math.ceil(rate / 4)));
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: burst(ingress) }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: burst(egress) }),
  };
}

/** A plugin that does not know how to give what was asked for does not say so. */
function refuseOtherAddress({ record }: LiveNetwork, made: CniInterface, options: ConnectOptions): void {
  const { requestedIPv4, requestedIPv6, macAddress } = options;
  const wrong = [
    [requestedIPv4, made.ipv4?.address],
    [requestedIPv6, made.ipv6?.address],
    [macAddress?.toLowerCase(), made.mac.toLowerCase()],
  ].find(([wanted, got]) => wanted !== undefined && wanted !== got);
  if (wrong === undefined) return;
  const [wanted, got] = wrong;
  throw new FailedPrecondition(
    `the CNI plugins of network ${record.name} gave ${got === undefined || got === "" ? "nothing" : got} where ${wanted} was asked for`,
    {
      subject: { kind: "network", name: record.name },
      remedy: "let a plugin of its configuration declare the capability ips or mac, or ask for none",
    },
  );
}

/** Takes a sandbox off a CNI network. What fails is tried again when the program starts next. */
export async function detachCni(context: ManagerContext, endpoint: StoredEndpoint): Promise<void> {
  const stored = await context.attachments.find(endpoint.sandboxId, endpoint.networkId);
  if (stored !== undefined) await undo(context, stored);
}

async function undo(context: ManagerContext, stored: StoredAttachment): Promise<void> {
  const { list, attachment, result } = stored;
  try {
    await deleteFromList(context.cni, list, attachment, result);
    await context.attachments.remove(stored);
  } catch (error) {
    const { containerId } = attachment;
    context.logger.warn("CNI plugins could not detach a container", { containerId, list: list.name, error });
  }
}

/** Undoes the attachments of containers that are gone: a crash or the end of the machine's run cut them short. */
export async function undoStaleAttachments(context: ManagerContext): Promise<void> {
  for (const stored of await context.attachments.load()) {
    const { networkId, attachment } = stored;
    const sandbox = context.sandboxes.get(attachment.containerId);
    if (sandbox?.stored.endpoints.some((endpoint) => endpoint.networkId === networkId)) continue;
    // Of the namespace nothing is left, unless the sandbox is there and only the connection was cut short.
    const namespace = sandbox === undefined ? "" : attachment.namespace;
    await undo(context, { ...stored, attachment: { ...attachment, namespace } });
  }
}

/** Asks plugins whether attachments are as they were made, and lets them forget all others. */
export async function checkAttachments(context: ManagerContext): Promise<void> {
  const all = await context.attachments.load();
  for (const { list, attachment, result } of all) {
    if (result === undefined) continue;
    try {
      await checkInList(context.cni, list, attachment, result);
    } catch (error) {
      const { containerId } = attachment;
      context.logger.warn("a container's CNI network is not as it was made", { containerId, list: list.name, error });
    }
  }
  for (const network of context.networks.values()) {
    const list = network.stored.cni;
    if (list === undefined) continue;
    const own = all.filter(({ networkId }) => networkId === network.record.id);
    try {
      await collectGarbage(
        context.cni,
        list,
        own.map(({ attachment }) => attachment),
      );
    } catch (error) {
      context.logger.warn("CNI plugins could not tidy up", { list: list.name, error: errorMessage(error) });
    }
  }
}
