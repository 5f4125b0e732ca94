import { randomBytes } from "node:crypto";
import { systemCode } from "@boxship/base";
import { isMountPoint } from "@boxship/kernel";
import { startResolver } from "./dns/start-resolver.ts";
import { closedError } from "./errors.ts";
import { firewallNetwork, LiveNetwork, type LiveSandbox, type ManagerContext } from "./live.ts";
import { isOwnAlias, isOwnLinkName } from "./names.ts";
import { planDefaultBridge } from "./networks/default-bridge.ts";
import { raiseDevice } from "./networks/network-raise.ts";
import { saveNetworks } from "./networks/save-networks.ts";
import { withSubnetLock } from "./networks/subnet-lock.ts";
import { reserveAgain } from "./ports/port-reserve.ts";
import { firewallPorts } from "./ports/ports-publish.ts";
import { undoStaleAttachments } from "./sandbox/cni-attach.ts";
import { guestNetworks } from "./sandbox/guests.ts";
import { bindingsOf, type StoredEndpoint, type StoredSandbox } from "./state/stored.ts";
import type { HostState } from "./worker/network-operations.ts";

/**
 * Brings records and kernel to agree after a start: what is recorded and missing is made again (bridges, the firewall,
 * sockets), sandboxes whose namespace is gone are forgotten, and what no record knows is removed.
 */
export async function openState(context: ManagerContext): Promise<void> {
  context.pool.open();
  const host = await withSubnetLock(context, async () => {
    const state = await context.thread.call("readHostState", undefined);
    await loadNetworks(context, state);
    return state;
  });
  for (const stored of context.sandboxStore.load()) await loadSandbox(context, stored);
  await context.outsidePorts?.retain([...context.sandboxes.values()].flatMap(({ stored }) => bindingsOf(stored)));
  const endpoints = [...context.networks.values()].flatMap((network) => [...network.endpoints.values()]);
  const own = [...context.networks.values()].flatMap((network) => firewallNetwork(network) ?? []);
  const networks = [...own, ...guestNetworks(endpoints)];
  const ports = [...context.sandboxes.values()].flatMap(({ firewallPorts: theirs }) => theirs);
  await context.firewall.reset(networks, ports);
  await undoStaleAttachments(context);
  await reopenResolvers(context);
  await removeStrays(context, host);
  context.pool.fill();
}

async function loadNetworks(context: ManagerContext, host: HostState): Promise<void> {
  for (const stored of await context.networkStore.load()) {
    try {
      context.networks.set(stored.record.id, new LiveNetwork(stored));
    } catch (error) {
      context.logger.error("a recorded network cannot be and is left out", { root: context.root, stored, error });
    }
  }
  if (addPredefined(context, host)) await saveNetworks(context);
  for (const network of context.networks.values()) {
    try {
      await raiseDevice(context, network, host);
    } catch (error) {
      // A parent that was unplugged must not keep everything else from starting.
      const { name, interfaceName } = network.record;
      context.logger.warn("cannot bring up a network", { network: name, interface: interfaceName, error });
      network.problem = error;
    }
  }
}

/** The networks that are always there. Returns whether any was missing. */
function addPredefined(context: ManagerContext, host: HostState): boolean {
  const names = new Set([...context.networks.values()].map(({ record }) => record.name));
  let added = false;
  const add = (network: LiveNetwork): void => {
    context.networks.set(network.record.id, network);
    added = true;
  };
  if (!names.has("bridge")) {
    try {
      add(planDefaultBridge(context, host));
    } catch (error) {
      // Everything else works without it, and what it lacks can be set right without starting again.
      context.bridgeProblem = closedError(error);
      context.logger.warn("there is no default bridge", { error });
    }
  }
  if (!names.has("host")) add(new LiveNetwork(plainNetwork(context, "host", "host")));
  if (!names.has("none")) add(new LiveNetwork(plainNetwork(context, "none", "null")));
  return added;
}

function plainNetwork(context: ManagerContext, name: string, driver: "host" | "null") {
  const record = {
    id: randomBytes(32).toString("hex"),
    name,
    created: context.clock.now(),
    driver,
    scope: "local",
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: false,
    ipam: { driver: "default", config: [] },
    options: {},
    labels: {},
    predefined: true,
  } as const;
  return { record, ownsInterface: false };
}

async function loadSandbox(context: ManagerContext, stored: StoredSandbox): Promise<void> {
  if (!isKept(stored.path)) {
    context.sandboxStore.remove(stored.id);
    return;
  }
  const endpoints = stored.endpoints.filter((endpoint) => claimEndpoint(context, endpoint));
  const sandbox: LiveSandbox = {
    stored: { ...stored, endpoints },
    reservations: [],
    firewallPorts: [],
    resolver: undefined,
  };
  context.sandboxes.set(stored.id, sandbox);
  for (const binding of bindingsOf(stored)) {
    const reservation = await reserveAgain(context, sandbox, binding);
    if (reservation !== undefined) sandbox.reservations.push(reservation);
  }
  sandbox.firewallPorts = firewallPorts(context, sandbox, bindingsOf(stored));
}

/** Whether a namespace is still mounted where it was. */
function isKept(path: string): boolean {
  try {
    return isMountPoint(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

function claimEndpoint(context: ManagerContext, endpoint: StoredEndpoint): boolean {
  const network = context.networks.get(endpoint.networkId);
  if (network === undefined) return false;
  try {
    if (endpoint.ipv4 !== undefined) network.ipv4?.claim(endpoint.ipv4.address);
    if (endpoint.ipv6 !== undefined) network.ipv6?.claim(endpoint.ipv6.address);
  } catch (error) {
    const { sandboxId, networkName } = endpoint;
    context.logger.error("a recorded endpoint cannot be", { sandboxId, network: networkName, error });
    return false;
  }
  network.add(endpoint);
  return true;
}

async function reopenResolvers(context: ManagerContext): Promise<void> {
  for (const sandbox of context.sandboxes.values()) {
    const { endpoints, path } = sandbox.stored;
    if (!endpoints.some(({ networkId }) => context.networks.get(networkId)?.hasNames)) continue;
    startResolver(context, sandbox, await context.thread.call("reopenResolver", { namespace: path, again: true }));
  }
}

/** Removes namespaces and links of ours that no record knows: leftovers of calls that a crash cut short. */
async function removeStrays(context: ManagerContext, host: HostState): Promise<void> {
  const known = new Set([...context.sandboxes.values()].map(({ stored }) => stored.path));
  for (const path of context.pool.listFiles()) {
    if (!known.has(path)) await context.thread.call("releaseNamespace", path);
  }
  await removeStrayLinks(context, host);
}

async function removeStrayLinks(context: ManagerContext, host: HostState): Promise<void> {
  const known = new Set<string>();
  for (const { record, endpoints } of context.networks.values()) {
    if (record.interfaceName !== undefined) known.add(record.interfaceName);
    for (const { link } of endpoints.values()) if (link?.kind === "veth") known.add(link.hostName);
  }
  for (const { name, alias } of host.links) {
    if (known.has(name) || !(isOwnLinkName(context.name, name) || isOwnAlias(context.name, alias))) continue;
    await context.thread.call("removeLink", name);
  }
}
