import { setImmediate } from "node:timers/promises";
import { Conflict } from "@boxship/base";
import type { PortBinding, PortMapping } from "../contract.ts";
import type { FirewallPort } from "../firewall/ruleset.ts";
import { type LiveSandbox, type ManagerContext, requireSandbox } from "../live.ts";
import { updateSandbox } from "../sandbox/sandbox-create.ts";
import { checkMapping, reserveMapping, targetOf } from "./port-reserve.ts";
import type { Reservation } from "./reservation.ts";

const PORTS_AT_ONCE = 50;

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
  return await context.locks.run(`sandbox ${sandboxId}`, async () => {
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
  await context.locks.run(`sandbox ${sandboxId}`, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    await withdrawPorts(context, sandbox);
    updateSandbox(context, sandbox, { mappings: [], bindings: [] });
  });
}

/** Takes ports back without writing that down. */
export async function withdrawPorts(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  const removed = sandbox.firewallPorts;
  if (removed.length > 0) await context.firewall.apply({ removePorts: removed });
  sandbox.firewallPorts = [];
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
  const removePorts = without(before, after);
  const addPorts = without(after, before);
  if (removePorts.length + addPorts.length === 0) return;
  await context.firewall.apply({ removePorts, addPorts });
  sandbox.firewallPorts = after;
  forgetFlows(context, [...removePorts, ...addPorts]);
}

function without(ports: readonly FirewallPort[], others: readonly FirewallPort[]): FirewallPort[] {
  const known = new Set(others.map((port) => JSON.stringify(port)));
  return ports.filter((port) => !known.has(JSON.stringify(port)));
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
      for (const [index, mapping] of mappings.entries()) {
        reservations.push(...(await reserveMapping(context, sandbox, mapping, target)));
        // A range of a thousand ports must not hold up everybody else.
        if (index % PORTS_AT_ONCE === PORTS_AT_ONCE - 1) await setImmediate();
      }
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
