import { isIP } from "node:net";
import {
  Conflict,
  FailedPrecondition,
  InvalidArgument,
  ResourceExhausted,
  systemCode,
  Unsupported,
} from "@boxship/base";
import type { PortBinding, PortMapping } from "../contract.ts";
import type { FirewallPort } from "../firewall/ruleset.ts";
import { bridgeSettings, type LiveSandbox, type ManagerContext, networkOf, requireSandbox } from "../live.ts";
import { chooseGateways } from "../sandbox/routes.ts";
import { updateSandbox } from "../sandbox/sandbox-create.ts";
import { type Reservation, reservePort } from "./reservation.ts";

/** Where published ports lead. */
interface Target {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Where the network publishes ports that name no address. */
  readonly hostBinding: string | undefined;
}

/**
 * Publishes ports of a sandbox, all or none; what was published before must have been taken back. Without a bridge
 * network that leads out nothing is published until the sandbox joins one.
 */
export async function publishPorts(
  context: ManagerContext,
  sandboxId: string,
  mappings: readonly PortMapping[],
): Promise<readonly PortBinding[]> {
  for (const mapping of mappings) checkMapping(mapping);
  return await context.locks.run(sandboxId, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    if (sandbox.stored.mappings.length > 0) {
      throw new Conflict(`sandbox ${sandboxId} has published ports already`, {
        subject: { kind: "sandbox", name: sandboxId },
      });
    }
    if (targetOf(context, sandbox) === undefined && mappings.length > 0) {
      context.logger.warn("ports are not published: the sandbox is on no network that leads out", { sandboxId });
    }
    await reserveAll(context, sandbox, mappings);
    return sandbox.stored.bindings;
  });
}

/** Takes a sandbox's published ports back. Idempotent. */
export async function unpublishPorts(context: ManagerContext, sandboxId: string): Promise<void> {
  await context.locks.run(sandboxId, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    await withdrawPorts(context, sandbox);
    updateSandbox(context, sandbox, { mappings: [], bindings: [] });
  });
}

/** Takes ports back without writing that down. */
export async function withdrawPorts(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  const removed = sandbox.firewallPorts;
  sandbox.firewallPorts = [];
  if (removed.length > 0) await context.firewall.apply({ removePorts: removed });
  for (const reservation of sandbox.reservations.splice(0)) reservation.close();
  forgetFlows(context, removed);
}

/** Makes published ports lead to where the sandbox is now, after it joined or left a network. */
export async function movePorts(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  const { mappings, bindings } = sandbox.stored;
  if (mappings.length === 0) return;
  if (bindings.length === 0) {
    await reserveAll(context, sandbox, mappings);
    return;
  }
  await leadPorts(context, sandbox, bindings);
}

/** Changes the firewall so that the bindings, and nothing else, lead to the sandbox. */
async function leadPorts(
  context: ManagerContext,
  sandbox: LiveSandbox,
  bindings: readonly PortBinding[],
): Promise<void> {
  const before = sandbox.firewallPorts;
  const after = firewallPorts(context, sandbox, bindings);
  const same = (a: FirewallPort) => (b: FirewallPort) => JSON.stringify(a) === JSON.stringify(b);
  const removePorts = before.filter((port) => !after.some(same(port)));
  const addPorts = after.filter((port) => !before.some(same(port)));
  if (removePorts.length + addPorts.length === 0) return;
  await context.firewall.apply({ removePorts, addPorts });
  sandbox.firewallPorts = after;
  forgetFlows(context, [...removePorts, ...addPorts]);
}

/** UDP has no connections: a client that goes on sending would follow the translation of before. */
function forgetFlows(context: ManagerContext, ports: readonly FirewallPort[]): void {
  const udp = ports.filter(({ protocol }) => protocol === "udp");
  if (udp.length === 0) return;
  const stale = {
    addresses: [],
    ports: udp.map(({ protocol, hostIP, hostPort }) => {
      return { protocol, hostIP: hostIP === "0.0.0.0" || hostIP === "::" ? "" : hostIP, hostPort };
    }),
  };
  context.thread.call("forgetFlows", stale, "background").catch((error: unknown) => {
    context.logger.warn("cannot forget flows of published ports", { error });
  });
}

async function reserveAll(
  context: ManagerContext,
  sandbox: LiveSandbox,
  mappings: readonly PortMapping[],
): Promise<void> {
  const target = targetOf(context, sandbox);
  const reservations: Reservation[] = [];
  try {
    if (target !== undefined) {
      for (const mapping of mappings) reservations.push(...(await reserve(context, sandbox, mapping, target)));
    }
    const bindings = reservations.map(({ binding }) => binding);
    await leadPorts(context, sandbox, bindings);
    sandbox.reservations.push(...reservations);
    updateSandbox(context, sandbox, { mappings, bindings });
  } catch (error) {
    for (const reservation of reservations) reservation.close();
    throw error;
  }
}

/** The elements that make bindings lead to the sandbox; a binding that only a proxy can serve has none. */
export function firewallPorts(
  context: ManagerContext,
  sandbox: LiveSandbox,
  bindings: readonly PortBinding[],
): FirewallPort[] {
  const target = targetOf(context, sandbox);
  return bindings.flatMap(({ protocol, hostIP, hostPort, containerPort }) => {
    const address = hostIP.includes(":") ? target?.ipv6 : target?.ipv4;
    if (address === undefined || hostIP === "::1") return [];
    return [{ protocol, hostIP, hostPort, address, port: containerPort }];
  });
}

function targetOf(context: ManagerContext, { stored }: LiveSandbox): Target | undefined {
  const bridged = stored.endpoints.filter((endpoint) => bridgeSettings(networkOf(context, endpoint)) !== undefined);
  const { ipv4, ipv6 } = chooseGateways(context, bridged);
  const endpoint = ipv4 ?? ipv6;
  if (endpoint === undefined) return undefined;
  const hostBinding = bridgeSettings(networkOf(context, endpoint))?.hostBinding;
  return { ipv4: ipv4?.ipv4?.address, ipv6: ipv6?.ipv6?.address, hostBinding };
}

function checkMapping({ protocol, containerPort, hostIP, hostPort = 0, hostPortEnd = hostPort }: PortMapping): void {
  const isPort = (port: number, lowest: number): boolean => Number.isInteger(port) && port >= lowest && port <= 65535;
  const text = `${hostIP ?? ""}:${hostPort}:${containerPort}/${protocol}`;
  const subject = { kind: "port", name: text };
  if (!["tcp", "udp", "sctp"].includes(protocol)) {
    throw new InvalidArgument(`port mapping ${text} has an unknown protocol`, { subject });
  }
  if (!isPort(containerPort, 1) || !isPort(hostPort, 0) || !isPort(hostPortEnd, 0) || hostPortEnd < hostPort) {
    throw new InvalidArgument(`port mapping ${text} has a port outside 1 to 65535`, { subject });
  }
  if (hostIP !== undefined && hostIP !== "" && isIP(hostIP) === 0) {
    throw new InvalidArgument(`port mapping ${text} has an invalid host address`, { subject });
  }
}

/** The addresses of the host that a mapping is published on. */
function hostAddresses(mapping: PortMapping, target: Target): readonly string[] {
  const { hostIP, protocol } = mapping;
  if (hostIP === undefined || hostIP === "") {
    const { hostBinding } = target;
    if (hostBinding !== undefined && hostBinding !== "0.0.0.0") return [hostBinding];
    // Only the kernel's translation knows SCTP, and it needs an address of the same family behind it.
    const six = protocol === "sctp" && target.ipv6 === undefined ? [] : ["::"];
    return [...(target.ipv4 === undefined ? [] : ["0.0.0.0"]), ...six];
  }
  const four = !hostIP.includes(":");
  if ((four && target.ipv4 === undefined) || (!four && protocol === "sctp" && target.ipv6 === undefined)) {
    throw new FailedPrecondition(`cannot publish on ${hostIP}: the container has no IPv${four ? 4 : 6} address`, {
      subject: { kind: "port", name: `${hostIP}:${mapping.hostPort ?? 0}` },
    });
  }
  return [hostIP];
}

async function reserve(
  context: ManagerContext,
  sandbox: LiveSandbox,
  mapping: PortMapping,
  target: Target,
): Promise<Reservation[]> {
  const addresses = hostAddresses(mapping, target);
  const first = mapping.hostPort ?? 0;
  const last = mapping.hostPortEnd ?? first;
  if (first !== 0 && first === last) {
    return await explain(context, mapping, first, () => reserveOn(context, sandbox, mapping, addresses, first));
  }
  for (const port of first === 0 ? context.portChooser.candidates() : range(first, last)) {
    try {
      return reserveOn(context, sandbox, mapping, addresses, port);
    } catch (error) {
      if (systemCode(error) !== "EADDRINUSE" && systemCode(error) !== "EACCES") throw bindError(error, mapping, port);
    }
  }
  throw new ResourceExhausted(`no free port for container port ${mapping.containerPort}/${mapping.protocol}`, {
    subject: { kind: "port", name: `${mapping.containerPort}/${mapping.protocol}` },
    remedy: first === 0 ? "stop containers that publish ports" : `give a larger range than ${first}-${last}`,
  });
}

function* range(first: number, last: number): Generator<number> {
  for (let port = first; port <= last; port++) yield port;
}

/** The same port on every address, or none. */
function reserveOn(
  context: ManagerContext,
  sandbox: LiveSandbox,
  { protocol, containerPort, hostIP }: PortMapping,
  addresses: readonly string[],
  hostPort: number,
): Reservation[] {
  const reservations: Reservation[] = [];
  try {
    for (const address of addresses) {
      const binding: PortBinding = { protocol, containerPort, hostIP: address, hostPort };
      try {
        reservations.push(reservePort(binding, proxyTarget(context, sandbox, binding)));
      } catch (error) {
        // A host without IPv6 publishes on IPv4 alone, unless IPv6 was asked for.
        const noIPv6 = ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(systemCode(error) ?? "");
        const wildcard = address === "::" && (hostIP === undefined || hostIP === "") && addresses.length > 1;
        if (!noIPv6 || !wildcard) throw error;
      }
    }
    return reservations;
  } catch (error) {
    for (const reservation of reservations) reservation.close();
    throw error;
  }
}

function proxyTarget(context: ManagerContext, sandbox: LiveSandbox, { containerPort }: PortBinding) {
  return () => {
    const target = targetOf(context, sandbox);
    const address = target?.ipv6 ?? target?.ipv4;
    return address === undefined ? undefined : { address, port: containerPort };
  };
}

/** Reserves a port again that was published before this program started; undefined when somebody has taken it. */
export function reserveAgain(
  context: ManagerContext,
  sandbox: LiveSandbox,
  binding: PortBinding,
): Reservation | undefined {
  try {
    return reservePort(binding, proxyTarget(context, sandbox, binding));
  } catch (error) {
    const { hostIP, hostPort, protocol } = binding;
    context.logger.warn("cannot reserve a published port again", { hostIP, hostPort, protocol, error });
    return undefined;
  }
}

async function explain<T>(context: ManagerContext, mapping: PortMapping, port: number, attempt: () => T): Promise<T> {
  try {
    return attempt();
  } catch (error) {
    if (systemCode(error) !== "EADDRINUSE") throw bindError(error, mapping, port);
    const where = `${mapping.hostIP ?? "0.0.0.0"}:${port}`;
    const subject = { kind: "port", name: where };
    const owner = ownSandbox(context, mapping, port);
    if (owner !== undefined) {
      throw new Conflict(`bind for ${where} failed: port is already allocated to container ${owner}`, {
        cause: error,
        subject,
        remedy: "choose another port, or stop that container",
      });
    }
    const process = await findProcess(context, mapping, port);
    throw new Conflict(`bind for ${where} failed: address already in use${process}`, {
      cause: error,
      subject,
      remedy: "choose another port, or stop what listens on it",
    });
  }
}

/** Our own container that has the port, by name. */
function ownSandbox(context: ManagerContext, { protocol }: PortMapping, port: number): string | undefined {
  for (const { stored, reservations } of context.sandboxes.values()) {
    if (!reservations.some(({ binding }) => binding.hostPort === port && binding.protocol === protocol)) continue;
    return stored.endpoints[0]?.name ?? stored.hostname;
  }
  return undefined;
}

async function findProcess(context: ManagerContext, { protocol }: PortMapping, port: number): Promise<string> {
  if (protocol === "sctp") return "";
  const owner = await context.thread.call("findPortOwner", { protocol, port });
  return owner === undefined ? "" : ` by ${owner.command} (process ${owner.pid})`;
}

function bindError(error: unknown, mapping: PortMapping, port: number): unknown {
  const where = `${mapping.hostIP ?? "0.0.0.0"}:${port}`;
  const details = { cause: error, subject: { kind: "port", name: where } };
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return new Conflict(`bind for ${where} failed: address already in use`, details);
    case "EADDRNOTAVAIL":
      return new FailedPrecondition(`bind for ${where} failed: the host does not have this address`, details);
    case "EPROTONOSUPPORT":
    case "EAFNOSUPPORT":
      return new Unsupported(`bind for ${where} failed: this kernel has no ${mapping.protocol} sockets`, details);
    default:
      return error;
  }
}
