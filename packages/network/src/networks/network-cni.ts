import { isDeepStrictEqual } from "node:util";
import { errorMessage, FailedPrecondition, Internal, InvalidArgument, NotFound } from "@boxship/base";
import {
  type CniNetworkList,
  findNetworkList,
  firstNetworkList,
  parseNetworkList,
  readNetworkFile,
} from "../cni/configuration.ts";
import { checkPlugins, listStatus } from "../cni/network-list.ts";
import type { CreateNetworkOptions } from "../contract.ts";
import type { LiveNetwork, ManagerContext } from "../live.ts";
import type { StoredNetwork } from "../state/stored.ts";
import type { CniSettings } from "./driver-options.ts";
import type { NetworkPlan } from "./network-plan.ts";
import { saveNetworks } from "./save-networks.ts";

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
  if (cni !== undefined) await checkPlugins(context.cni, cni);
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
    ...(cni === undefined ? {} : { cni }),
  };
}

/** A directory may be filled later. */
function readConfiguration(context: ManagerContext, name: string, settings: CniSettings): CniNetworkList | undefined {
  if (settings.directory !== undefined) return undefined;
  const list = namedConfiguration(context, name, settings);
  return settings.plugins === undefined ? list : { ...list, directories: settings.plugins };
}

/**
 * With what containers are attached to a network with the driver `cni` from now on: where its configuration is in a directory, what
 * is there now.
 *
 * @throws FailedPrecondition where nothing is that can be used
 */
export async function currentList(context: ManagerContext, network: LiveNetwork): Promise<CniNetworkList> {
  const { record, settings, stored } = network;
  if (settings.driver !== "cni") throw new Internal(`network ${record.name} is none of CNI plugins`);
  const { directory, plugins } = settings;
  if (directory === undefined) {
    if (stored.cni === undefined) throw new Internal(`network ${record.name} has no CNI configuration`);
    return stored.cni;
  }
  const list = await readDirectory(context, directory, plugins, stored.cni);
  if (list !== stored.cni) {
    network.setCni(list);
    await context.locks.run("networks", () => saveNetworks(context));
  }
  return list;
}

/** @param known is returned when nothing has changed */
async function readDirectory(
  context: ManagerContext,
  directory: string,
  plugins: readonly string[] | undefined,
  known: CniNetworkList | undefined,
): Promise<CniNetworkList> {
  try {
    const list = { ...firstNetworkList(directory), ...(plugins === undefined ? {} : { directories: plugins }) };
    if (known !== undefined && isDeepStrictEqual(list, known)) return known;
    await checkPlugins(context.cni, list);
    return list;
  } catch (cause) {
    // What clients of the CRI look for.
    const why = "cni plugin not initialized";
    const isEmpty = cause instanceof NotFound && cause.subject?.kind === "CNI configuration";
    throw new FailedPrecondition(isEmpty ? why : `${why}: ${errorMessage(cause)}`, {
      cause,
      subject: { kind: "CNI configuration", name: directory },
      remedy: `put a file NAME.conflist into ${directory}, and its programs where they are looked for`,
    });
  }
}

/** Asks the plugins of a network whether it works; any other network does. @throws what its configuration or a plugin lacks */
export async function requireReady(context: ManagerContext, network: LiveNetwork): Promise<void> {
  if (network.settings.driver === "cni") await listStatus(context.cni, await currentList(context, network));
}

function namedConfiguration(context: ManagerContext, name: string, settings: CniSettings): CniNetworkList {
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
