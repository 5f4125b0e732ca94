import { isIP } from "node:net";
import { constants } from "node:os";
import {
  Conflict,
  FailedPrecondition,
  InvalidArgument,
  ResourceExhausted,
  systemCode,
  Unsupported,
} from "@boxship/base";
import { SyscallError } from "@boxship/kernel";
import type { PortBinding, PortMapping } from "../contract.ts";
import { bridgeSettings, type LiveSandbox, type ManagerContext, networkOf } from "../live.ts";
import { chooseGateways } from "../sandbox/routes.ts";
import { type Reservation, reserveOutside, reservePort } from "./reservation.ts";

/** Where published ports lead. */
export interface Target {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Where the network publishes ports that name no address. */
  readonly hostBinding: string | undefined;
}

/** Where a sandbox's published ports lead now; undefined when it is on no bridge that leads out. */
export function targetOf(context: ManagerContext, { stored }: LiveSandbox): Target | undefined {
  const bridged = stored.endpoints.filter(({ link }) => {
    return link?.kind === "veth" || (link?.kind === "cni" && link.hostLink !== undefined);
  });
  const { ipv4, ipv6 } = chooseGateways(context, bridged);
  const endpoint = ipv4 ?? ipv6;
  if (endpoint === undefined) return undefined;
  const hostBinding = bridgeSettings(networkOf(context, endpoint))?.hostBinding;
  return { ipv4: ipv4?.ipv4?.address, ipv6: ipv6?.ipv6?.address, hostBinding };
}

/** Throws {@link InvalidArgument} for a mapping that can never be. */
export function checkMapping({
  protocol,
  containerPort,
  hostIP,
  hostPort = 0,
  hostPortEnd = hostPort,
}: PortMapping): void {
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

/** Reserves what one mapping asks for. The caller closes what it gets. */
export async function reserveMapping(
  context: ManagerContext,
  sandbox: LiveSandbox,
  mapping: PortMapping,
  target: Target,
): Promise<Reservation[]> {
  const addresses = hostAddresses(mapping, target);
  const first = mapping.hostPort ?? 0;
  const last = mapping.hostPortEnd ?? first;
  if (first !== 0 && first === last) {
    return await explain(context, sandbox, mapping, first, () =>
      reserveOn(context, sandbox, mapping, addresses, first),
    );
  }
  for (const port of first === 0 ? context.portChooser.candidates() : range(first, last)) {
    try {
      return await reserveOn(context, sandbox, mapping, addresses, port);
    } catch (error) {
      if (systemCode(error) !== "EADDRINUSE" && systemCode(error) !== "EACCES") throw bindError(error, mapping, port);
    }
  }
  throw new ResourceExhausted(
    `no free port for container port ${mapping.containerPort}/${mapping.protocol}: all ports are allocated`,
    {
      subject: { kind: "port", name: `${mapping.containerPort}/${mapping.protocol}` },
      remedy: first === 0 ? "stop containers that publish ports" : `give a larger range than ${first}-${last}`,
    },
  );
}

function* range(first: number, last: number): Generator<number> {
  for (let port = first; port <= last; port++) yield port;
}

/** The same port on every address, or none. */
async function reserveOn(
  context: ManagerContext,
  sandbox: LiveSandbox,
  { protocol, containerPort, hostIP }: PortMapping,
  addresses: readonly string[],
  hostPort: number,
): Promise<Reservation[]> {
  const reservations: Reservation[] = [];
  try {
    for (const address of addresses) {
      const binding: PortBinding = { protocol, containerPort, hostIP: address, hostPort };
      // There may be no socket to find it taken.
      if (protocol === "sctp") refuseOwnSctp(context, binding);
      try {
        reservations.push(await reserve(context, sandbox, binding));
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

function refuseOwnSctp(context: ManagerContext, { protocol, hostPort }: PortBinding): void {
  if (ownSandbox(context, { protocol }, hostPort) === undefined) return;
  throw new SyscallError(constants.errno.EADDRINUSE, "bind", `sctp port ${hostPort}`);
}

function proxyTarget(context: ManagerContext, sandbox: LiveSandbox, { containerPort, hostIP }: PortBinding) {
  return () => {
    const target = targetOf(context, sandbox);
    const address = hostIP.includes(":") ? (target?.ipv6 ?? target?.ipv4) : target?.ipv4;
    return address === undefined ? undefined : { address, port: containerPort };
  };
}

/** Where clients are: here, or outside of the network namespace that we live in. */
async function reserve(
  context: ManagerContext,
  sandbox: LiveSandbox,
  binding: PortBinding,
  again = false,
): Promise<Reservation> {
  const target = proxyTarget(context, sandbox, binding);
  const { outsidePorts, logger } = context;
  if (outsidePorts === undefined) return reservePort(binding, target);
  return await reserveOutside(outsidePorts, binding, target, { again, logger });
}

/** Reserves a port again that was published before this program started; undefined when somebody has taken it. */
export async function reserveAgain(
  context: ManagerContext,
  sandbox: LiveSandbox,
  binding: PortBinding,
): Promise<Reservation | undefined> {
  try {
    return await reserve(context, sandbox, binding, true);
  } catch (error) {
    const { hostIP, hostPort, protocol } = binding;
    context.logger.warn("cannot reserve a published port again", { hostIP, hostPort, protocol, error });
    return undefined;
  }
}

async function explain<T>(
  context: ManagerContext,
  sandbox: LiveSandbox,
  mapping: PortMapping,
  port: number,
  attempt: () => Promise<T>,
): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (systemCode(error) !== "EADDRINUSE") throw bindError(error, mapping, port);
    const where = `${mapping.hostIP || "0.0.0.0"}:${port}`;
    const subject = { kind: "port", name: where };
    const owner = ownSandbox(context, mapping, port);
    const failed = failedEndpoint(sandbox);
    if (owner !== undefined) {
      throw new Conflict(`${failed}: Bind for ${where} failed: port is already allocated to container ${owner}`, {
        cause: error,
        subject,
        remedy: "choose another port, or stop that container",
      });
    }
    const process = await findProcess(context, mapping, port);
    throw new Conflict(
      `${failed}: failed to bind host port ${where}/${mapping.protocol}: address already in use${process}`,
      {
        cause: error,
        subject,
        remedy: "choose another port, or stop what listens on it",
      },
    );
  }
}

/** As Docker begins it: there are clients that look for these words, and for those about the port. */
function failedEndpoint({ stored }: LiveSandbox): string {
  const endpoint = stored.endpoints[0];
  const name = endpoint === undefined ? stored.hostname : `${endpoint.name} (${endpoint.endpointId})`;
  return `driver failed programming external connectivity on endpoint ${name}`;
}

/** Our own container that has the port, by name. */
function ownSandbox(
  context: ManagerContext,
  { protocol }: Pick<PortMapping, "protocol">,
  port: number,
): string | undefined {
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
  const where = `${mapping.hostIP || "0.0.0.0"}:${port}`;
  const details = { cause: error, subject: { kind: "port", name: where } };
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return new Conflict(`bind for ${where} failed: address already in use`, details);
    case "EADDRNOTAVAIL":
      return new FailedPrecondition(`bind for ${where} failed: the host does not have this address`, details);
    case "EACCES":
      return new FailedPrecondition(`bind for ${where} failed: only root may take this port`, {
        ...details,
        remedy: `choose a port from 1024 on, or let root run: sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
      });
    case "EPROTONOSUPPORT":
    case "EAFNOSUPPORT":
      return new Unsupported(`bind for ${where} failed: this kernel has no ${mapping.protocol} sockets`, details);
    default:
      return error;
  }
}
