import { setImmediate } from "node:timers/promises";
import { NotFound } from "@boxship/base";
import type { PortBinding, PortMapping, PortSelection } from "../contract.ts";
import type { FirewallPort } from "../firewall/ruleset.ts";
import { type LiveSandbox, type ManagerContext, requireSandbox } from "../live.ts";
import { updateSandbox } from "../sandbox/sandbox-create.ts";
import type { PublishedMapping } from "../state/stored.ts";
import { checkMapping, reserveMapping, targetOf } from "./port-reserve.ts";
import type { Reservation } from "./reservation.ts";

const PORTS_AT_ONCE = 50;

/**
 * Publishes ports of a sandbox besides those that it has published, all or none. Without a bridge network that leads out
 * nothing is published until the sandbox joins one.
 */
export async function publishPorts(
  context: ManagerContext,
  sandboxId: string,
  mappings: readonly PortMapping[],
): Promise<readonly PortBinding[]> {
  for (const mapping of mappings) checkMapping(mapping);
  return await context.locks.run(`sandbox ${sandboxId}`, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    if (targetOf(context, sandbox) === undefined && mappings.length > 0) {
      context.logger.warn("ports are not published: the sandbox is on no network that leads out", { sandboxId });
    }
    const published = mappings.map((mapping) => ({ mapping, bindings: [] }));
    const before = sandbox.stored.published;
    await reserveUnbound(context, sandbox, [...before, ...published]);
    return sandbox.stored.published.slice(before.length).flatMap(({ bindings }) => bindings);
  });
}

/**
 * Takes published ports of a sandbox back: all of them, or those that are selected. Idempotent without a selection;
 * throws {@link NotFound} for one that selects nothing.
 */
export async function unpublishPorts(
  context: ManagerContext,
  sandboxId: string,
  selections?: readonly PortSelection[],
): Promise<void> {
  await context.locks.run(`sandbox ${sandboxId}`, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    if (selections === undefined) {
      await withdrawPorts(context, sandbox);
      updateSandbox(context, sandbox, { published: [] });
      return;
    }
    for (const selection of selections) refuseNothing(sandbox, selection);
    const published = sandbox.stored.published.flatMap((entry) => withoutSelected(entry, selections));
    const bindings = published.flatMap((entry) => entry.bindings);
    await leadPorts(context, sandbox, bindings);
    updateSandbox(context, sandbox, { published });
    const kept = new Set(bindings.map(bindingKey));
    const open = sandbox.reservations.splice(0);
    sandbox.reservations.push(...open.filter(({ binding }) => kept.has(bindingKey(binding))));
    for (const reservation of open) if (!kept.has(bindingKey(reservation.binding))) reservation.close();
  });
}

function refuseNothing({ stored }: LiveSandbox, selection: PortSelection): void {
  const found = stored.published.some(({ mapping, bindings }) => {
    return [mapping, ...bindings].some((port) => isSelected(port, selection));
  });
  if (found) return;
  const { protocol, containerPort, hostIP, hostPort } = selection;
  const host = [hostIP, hostPort].filter((part) => part !== undefined && part !== "").join(":");
  const name = `${host === "" ? "" : `${host} to `}${containerPort}/${protocol}`;
  throw new NotFound(`port ${name} is not published`, { subject: { kind: "port", name } });
}

/** What is left of a mapping: nothing when its last binding was selected, or when it has none and was itself. */
function withoutSelected(entry: PublishedMapping, selections: readonly PortSelection[]): PublishedMapping[] {
  const selected = (port: PortMapping): boolean => selections.some((selection) => isSelected(port, selection));
  if (entry.bindings.length === 0) return selected(entry.mapping) ? [] : [entry];
  const bindings = entry.bindings.filter((binding) => !selected(binding));
  return bindings.length === 0 ? [] : [{ ...entry, bindings }];
}

function isSelected(port: PortMapping, selection: PortSelection): boolean {
  const { hostIP = "", hostPort = 0 } = selection;
  if (port.protocol !== selection.protocol || port.containerPort !== selection.containerPort) return false;
  return (hostIP === "" || hostIP === port.hostIP) && (hostPort === 0 || hostPort === port.hostPort);
}

function bindingKey({ protocol, hostIP, hostPort }: PortBinding): string {
  return `${protocol} ${hostIP} ${hostPort}`;
}

/** Takes ports back without writing that down. */
export async function withdrawPorts(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  const removed = sandbox.firewallPorts;
  if (removed.length > 0) await context.firewall.apply({ removePorts: removed });
  sandbox.firewallPorts = [];
  for (const reservation of sandbox.reservations.splice(0)) reservation.close();
  // Whoever publishes these ports next waits for it; until then nobody is misled.
  forgetFlows(context, removed, "background").catch((error: unknown) => {
    context.logger.warn("cannot forget flows of published ports", { error });
  });
}

/** Makes published ports lead to where the sandbox is now, after it joined or left a network. */
export async function movePorts(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  const { published } = sandbox.stored;
  if (published.length === 0) return;
  await reserveUnbound(context, sandbox, published);
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
  for (const reservation of sandbox.reservations) await reservation.moved();
  await forgetFlows(context, [...removePorts, ...addPorts]);
}

function without(ports: readonly FirewallPort[], others: readonly FirewallPort[]): FirewallPort[] {
  const known = new Set(others.map((port) => JSON.stringify(port)));
  return ports.filter((port) => !known.has(JSON.stringify(port)));
}

/** UDP has no connections: a client that goes on sending would follow the translation of before. */
async function forgetFlows(
  context: ManagerContext,
  ports: readonly FirewallPort[],
  priority: "normal" | "background" = "normal",
): Promise<void> {
  const udp = ports.filter(({ protocol }) => protocol === "udp");
  if (udp.length === 0) return;
  const stale = {
    addresses: [],
    ports: udp.map(({ protocol, hostIP, hostPort }) => {
      return { protocol, hostIP: hostIP === "0.0.0.0" || hostIP === "::" ? "" : hostIP, hostPort };
    }),
  };
  await context.thread.call("forgetFlows", stale, priority);
}

/** Reserves ports for the mappings that have none yet, and makes all lead to where the sandbox is now. */
async function reserveUnbound(
  context: ManagerContext,
  sandbox: LiveSandbox,
  wanted: readonly PublishedMapping[],
): Promise<void> {
  const target = targetOf(context, sandbox);
  const reservations: Reservation[] = [];
  const published: PublishedMapping[] = [];
  try {
    for (const [index, entry] of wanted.entries()) {
      const own =
        target === undefined || entry.bindings.length > 0
          ? []
          : await reserveMapping(context, sandbox, entry.mapping, target);
      reservations.push(...own);
      published.push(own.length === 0 ? entry : { ...entry, bindings: own.map(({ binding }) => binding) });
      // A range of a thousand ports must not hold up everybody else.
      if (index % PORTS_AT_ONCE === PORTS_AT_ONCE - 1) await setImmediate();
    }
    await leadPorts(
      context,
      sandbox,
      published.flatMap(({ bindings }) => bindings),
    );
    sandbox.reservations.push(...reservations);
    if (published.some((entry, index) => entry !== sandbox.stored.published[index])) {
      updateSandbox(context, sandbox, { published });
    }
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
